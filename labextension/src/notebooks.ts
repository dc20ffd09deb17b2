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
 * Put code into a notebook's active cell, below what stands there; nothing is run. The notebook's title; nothing where
 * there is no such cell.
 */
export function insertInto(notebook: Pick<NotebookPanel, "content" | "title"> | null, code: string): string {
  const source = notebook?.content.activeCell?.model.sharedModel;
  if (notebook === null || source === undefined) return "";
  source.setSource([source.getSource().trimEnd(), code].filter(Boolean).join("\n"));
  return notebook.title.label;
}
