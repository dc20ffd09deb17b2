import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import { INotebookTracker, type NotebookPanel } from "@jupyterlab/notebook";
import { KernelMessage } from "@jupyterlab/services";
import type { Outputs } from "./notebooks";

/**
 * Renews the snapshots beside widgets in a page that was opened anew while its kernel lived.
 *
 * JupyterLab finds the output that a message renews by what the page itself has run. A file keeps no such thing, so that
 * after a reload a widget goes on and its snapshot, which is what the file keeps, would stay as it was. A snapshot's
 * metadata names it, in the file and in each message.
 */
export const snapshots: JupyterFrontEndPlugin<void> = {
  id: "kubeai-notebook:snapshots",
  description: "Keeps what a saved notebook shows of a widget true after the page was opened anew.",
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_, notebooks: INotebookTracker) => {
    notebooks.widgetAdded.connect((_, panel) => {
      panel.sessionContext.iopubMessage.connect((_, message) => {
        if (KernelMessage.isUpdateDisplayDataMsg(message)) renew(panel, message.content);
      });
    });
  },
};

function renew(panel: NotebookPanel, { data, metadata }: KernelMessage.IUpdateDisplayDataMsg["content"]): void {
  const name = nameOf(metadata);
  if (name === undefined) return;
  for (const outputs of outputsIn(panel)) {
    for (let index = 0; index < outputs.length; index++) {
      const shown = outputs.get(index);
      // What JupyterLab itself has renewed is not drawn twice.
      if (nameOf(shown.metadata) !== name || JSON.stringify(shown.data) === JSON.stringify(data)) continue;
      outputs.set(index, { output_type: "display_data", data, metadata });
    }
  }
}

function* outputsIn(panel: NotebookPanel): Generator<Outputs> {
  for (const cell of panel.model?.cells ?? []) if ("outputs" in cell) yield cell.outputs as Outputs;
}

function nameOf({ kubeai }: { kubeai?: unknown }): string | undefined {
  const name = typeof kubeai === "object" && kubeai !== null && "snapshot" in kubeai ? kubeai.snapshot : undefined;
  return typeof name === "string" ? name : undefined;
}
