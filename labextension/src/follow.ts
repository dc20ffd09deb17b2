import type { CodeCell, Future, NotebookPanel, Outputs } from "./notebooks";

export interface ModelPlace {
  name: string;
  namespace: string;
}

/** A card and its snapshot. */
const OUTPUTS_OF_A_CARD = 2;

/**
 * Put a live card in place of a dead one; the cell's own source stays as it is and is not run. What stands beside the
 * card (a form around it, a table, what the cell printed) stays where the cell is trusted.
 */
export async function follow(
  panel: NotebookPanel,
  cell: CodeCell | null,
  { name, namespace }: ModelPlace,
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
