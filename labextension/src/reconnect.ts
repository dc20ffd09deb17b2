import type { Application, IPlugin } from "@lumino/application";
import { cellsAround, isNotebook, type CodeCell, type Future, type NotebookPanel, type Outputs, type Shell } from "./notebooks";

/**
 * The way back from a card whose kernel has gone: a live one fires an event, a saved one has a button in its snapshot,
 * which only this extension shows. A saved notebook is anybody's, so a click on it runs no words of the notebook's: the
 * name and the namespace are read as such, and the code is written here.
 */
const EVENT = "kubeai:reconnect";
/** On the page's body, so that a card knows that somebody hears it. */
const RECONNECTS = "kubeai-reconnects";
const LINE = /^%kubeai_attach (\S+) -n (\S+)$/;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const COMMAND = "kubeai:reconnect";

interface Place {
  name: string;
  namespace: string;
}

export const reconnect: IPlugin<Application<Shell>, void> = {
  id: "kubeai-notebook:reconnect",
  description: "Follows a Model again from a card whose kernel has gone.",
  autoStart: true,
  activate: (app) => {
    app.commands.addCommand(COMMAND, {
      label: "Reconnect to a Model",
      execute: async (args) => {
        const panel = app.shell.currentWidget;
        const place = placeOf(args.name, args.namespace);
        if (panel === null || !isNotebook(panel) || place === undefined) return;
        await follow(panel, panel.content.activeCell, place);
      },
    });
    const clicked = (target: EventTarget | null, place: Place | undefined) => {
      if (!(target instanceof HTMLElement) || place === undefined) return;
      for (const [panel, cell] of cellsAround(app.shell, target)) {
        void follow(panel, cell, place, target.closest<HTMLElement>(".kubeai-card"));
      }
    };
    document.body.classList.add(RECONNECTS);
    document.body.addEventListener(EVENT, (event) => {
      const detail: unknown = event instanceof CustomEvent ? event.detail : undefined;
      clicked(event.target, isPlace(detail) ? placeOf(detail.name, detail.namespace) : undefined);
    });
    document.body.addEventListener("click", (event) => {
      if (event.target instanceof HTMLElement && event.target.matches(".kubeai-snapshot .kubeai-reconnect")) {
        clicked(event.target, savedPlace(event.target));
      }
    });
  },
};

/** A card and its snapshot. */
const OUTPUTS_OF_A_CARD = 2;

/**
 * Put a live card in place of a dead one; the cell's own source stays as it is and is not run. What stands beside the
 * card (a form around it, a table, what the cell printed) stays where the cell is trusted.
 */
async function follow(
  panel: NotebookPanel,
  cell: CodeCell | null,
  { name, namespace }: Place,
  dead: HTMLElement | null = null,
): Promise<void> {
  const context = panel.sessionContext;
  if (!context.session?.kernel) await context.startKernel();
  const kernel = context.session?.kernel;
  if (!kernel || !cell?.outputArea) return;
  const load = 'get_ipython().extension_manager.load_extension("kubeai_notebook")';
  const code = `${load}\n%kubeai_attach ${name} -n ${namespace}`;
  // Not disposed of when it is done: its snapshot is renewed later.
  const future = kernel.requestExecute({ code, stop_on_error: true }, false);
  const alone = cell.outputArea.widgets.length <= OUTPUTS_OF_A_CARD && dead?.closest(".widget-box:not(.kubeai-card-box)") == null;
  if (cell.model.trusted && dead !== null && !alone) {
    dead.hidden = true;
    showBelow(cell.outputArea.model, future);
    return;
  }
  // What stood there goes first: only what this code shows is trusted.
  cell.outputArea.future = future;
  cell.model.trusted = true;
}

/** Show what some code shows below a cell's outputs, as JupyterLab itself does after it has cleared them. */
function showBelow(outputs: Outputs, future: Future): void {
  const places = new Map<string, number>();
  future.onIOPub = ({ header: { msg_type }, content }) => {
    const id = content.transient?.display_id ?? "";
    const place = places.get(id);
    if (msg_type === "update_display_data" && place !== undefined) {
      outputs.set(place, { ...content, output_type: "display_data" });
    } else if (["display_data", "execute_result", "stream", "error"].includes(msg_type)) {
      const length = outputs.add({ ...content, output_type: msg_type });
      if (id !== "") places.set(id, length - 1);
    }
  };
}

/** The Model that a snapshot names in the line to run. */
function savedPlace(button: HTMLElement): Place | undefined {
  const lines = button.closest(".kubeai-snapshot")?.querySelectorAll("code") ?? [];
  const [, name, namespace] = [...lines].map((line) => LINE.exec(line.textContent)).find((match) => match) ?? [];
  return placeOf(name, namespace);
}

function placeOf(name: unknown, namespace: unknown): Place | undefined {
  const valid = typeof name === "string" && typeof namespace === "string" && NAME.test(name) && NAME.test(namespace);
  return valid ? { name, namespace } : undefined;
}

function isPlace(detail: unknown): detail is Place {
  return typeof detail === "object" && detail !== null && "name" in detail && "namespace" in detail;
}
