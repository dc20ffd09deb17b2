import type { RenderProps } from "@anywidget/types";
import { Asking, shown } from "./asking";
import { element, put } from "../shared/dom";
import type { ActionsState } from "./form_types";

type Props = Pick<RenderProps<ActionsState>, "model" | "el" | "signal">;

/** A row of buttons, and below it how far the last of them is. */
export default { render };

function render({ model, el, signal }: Props): void {
  const asking = new Asking(model, signal);
  const row = element("div", "kubeai-form-actions");
  const status = element("p", "kubeai-form-status");
  status.setAttribute("role", "status");
  el.append(row, asking.node, status);
  shown(model, signal, ["buttons", "status"], () => {
    put(status, model.get("status"));
    const buttons = model.get("buttons");
    const nodes = Array.from(row.querySelectorAll("button"));
    for (const [index, { id, title, primary, enabled, expanded }] of buttons.entries()) {
      const node = nodes[index] ?? row.appendChild(button(asking));
      node.textContent = title;
      node.dataset.id = id;
      node.classList.toggle("kubeai-form-primary", primary);
      if (expanded !== null) node.setAttribute("aria-expanded", String(expanded));
      // Not `disabled`: that takes the focus away, and a keyboard user begins again at the top of the page.
      node.setAttribute("aria-disabled", String(!enabled));
    }
    for (const node of nodes.slice(buttons.length)) node.remove();
  });
}

function button(asking: Asking): HTMLButtonElement {
  const node = element("button", "kubeai-form-button");
  node.type = "button";
  node.addEventListener("click", () => {
    if (node.getAttribute("aria-disabled") !== "true") asking.send({ press: node.dataset.id });
  });
  return node;
}
