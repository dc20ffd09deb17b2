import type { Widget } from "@lumino/widgets";

// What is used of JupyterLab's notebooks; their own types would pull in half of JupyterLab.

export interface Outputs {
  length: number;
  get(index: number): { data: object; metadata: object };
  add(output: object): number;
  set(index: number, output: object): void;
}

interface Source {
  sharedModel: { getSource(): string; setSource(source: string): void };
}

export interface CodeCell extends Widget {
  model: Source & { trusted: boolean };
  outputArea?: { node: HTMLElement; widgets: readonly unknown[]; model: Outputs; future: unknown };
}

export interface Message {
  header: { msg_type: string };
  content: { transient?: { display_id?: string } };
}

export interface Future {
  onIOPub: (message: Message) => void;
}

interface Kernel {
  requestExecute(content: { code: string; stop_on_error: boolean }, disposeOnDone: boolean): Future;
}

interface Content {
  widgets: readonly CodeCell[];
  activeCell: CodeCell | null;
  activeCellIndex: number;
  model: { sharedModel: { insertCell(index: number, cell: { cell_type: "code"; source: string }): unknown } } | null;
}

export interface NotebookPanel extends Widget {
  content: Content;
  sessionContext: { session: { kernel: Kernel | null } | null; startKernel(): Promise<boolean> };
}

export interface Shell extends Widget {
  widgets(area: "main"): Iterable<Widget>;
  currentWidget: Widget | null;
}

export function isNotebook(widget: Widget): widget is NotebookPanel {
  return "content" in widget && "sessionContext" in widget && widget.node.classList.contains("jp-NotebookPanel");
}

/** The cells whose output holds a node, each with its notebook: one, as a notebook's second view has nodes of its own. */
export function* cellsAround(shell: Shell, node: Node): Generator<[NotebookPanel, CodeCell]> {
  for (const panel of shell.widgets("main")) {
    if (!isNotebook(panel)) continue;
    const cell = panel.content.widgets.find((one) => one.outputArea?.node.contains(node));
    if (cell !== undefined) yield [panel, cell];
  }
}

/**
 * Put code into a notebook's active cell, or into a new one below where that is not empty or none of code; nothing is
 * run. The notebook's title; nothing where there is no such cell.
 */
export function insertInto(notebook: Pick<NotebookPanel, "content" | "title"> | null, code: string): string {
  const cell = notebook?.content.activeCell;
  if (notebook === null || !cell) return "";
  const source = cell.model.sharedModel;
  if (cell.outputArea !== undefined && source.getSource().trim() === "") source.setSource(code);
  else insertBelow(notebook.content, notebook.content.activeCellIndex, code);
  return notebook.title.label;
}

/** A new cell of code below this one, which becomes the active one; it is not run. */
export function insertBelow(content: Content, index: number, source: string): void {
  content.model?.sharedModel.insertCell(index + 1, { cell_type: "code", source });
  content.activeCellIndex = index + 1;
}
