import { button, copyable, element } from "../shared/dom";
import { trans } from "../shared/translate";
import type { Card } from "../shared/types";

/** The JupyterLab extension sets it on the page's body: it hears the event below. */
export const RECONNECTS = "kubeai-reconnects";

/** A way back to a Model whose kernel has gone: a button where the extension is there, else the lines to run. */
export function reconnectNode(card: Card): HTMLElement[] {
  if (card.phase === "Deleted") return [];
  if (!document.body.classList.contains(RECONNECTS)) {
    const lines = ["%load_ext kubeai_notebook", `%kubeai_attach ${card.name} -n ${card.namespace}`];
    return [element("span", "", trans.__("These two lines follow it again:")), ...lines.map(copyable)];
  }
  const again = button(trans.__("Reconnect"), trans.__("Reconnect to %1", card.name));
  again.addEventListener("click", () => {
    const detail = { name: card.name, namespace: card.namespace };
    again.dispatchEvent(new CustomEvent("kubeai:reconnect", { bubbles: true, detail }));
  });
  return [again];
}
