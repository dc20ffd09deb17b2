import type { AnyModel, InitializeProps, RenderProps } from "@anywidget/types";
import { element } from "../shared/dom";

/** What the kernel sends: the text that is new, and its number from 0; of a long answer what stands below it, too. */
export interface Piece {
  seq: number;
  append: string;
  note?: string;
}

type Model = AnyModel<Record<string, never>>;

/** Called once for each answer; `render` once for each place where it is shown. */
export default () => {
  const pieces: (string | undefined)[] = [];
  return {
    initialize({ model }: Pick<InitializeProps<Record<string, never>>, "model">): () => void {
      return follow(model, ({ seq, append }) => {
        pieces[seq] = append;
      });
    },
    render({ model, el }: Pick<RenderProps<Record<string, never>>, "model" | "el">): () => void {
      const view = new AnswerView();
      el.append(view.node, view.note);
      for (const piece of pieces) view.append(piece ?? MISSING);
      return follow(model, ({ append, note }) => {
        view.append(append);
        if (note !== undefined) view.note.textContent = note;
      });
    },
  };
};

/** Stands for a piece that never came; the whole answer replaces all of this in the end. */
const MISSING = " … ";
/** Characters of a passage: it is drawn anew for each piece, so one without an end is ended at a line. */
const LONGEST_PASSAGE = 4000;

function follow(model: Model, take: (piece: Piece) => void): () => void {
  const received = (message: unknown) => {
    if (isPiece(message)) take(message);
  };
  model.on("msg:custom", received);
  return () => {
    model.off("msg:custom", received);
  };
}

function isPiece(message: unknown): message is Piece {
  return typeof message === "object" && message !== null && "seq" in message && "append" in message;
}

/**
 * A growing answer. A passage that has ended is drawn once and never again, so a long answer costs as much for each word
 * as a short one. It has the elements and the class of the Markdown that replaces it, so that little moves in the end,
 * and is made of text nodes alone: no word of a model's becomes HTML here, and no link can be followed.
 */
export class AnswerView {
  readonly node = element("div", "kubeai-answer jp-RenderedHTMLCommon");
  /** Stands below the words, and goes with the widget when the whole answer takes its place. */
  readonly note = element("small", "kubeai-answer-note");
  private last = this.node.appendChild(element("div", ""));
  private text = "";
  private fence = "";

  constructor() {
    this.node.setAttribute("aria-live", "off");
  }

  append(piece: string): void {
    this.text += piece;
    for (let line = this.text.indexOf("\n"); line >= 0; line = this.endOfPassage(line)) {
      /* Each round looks at one line. */
    }
    draw(this.last, this.text);
  }

  /** Close the passage where the line that ends here closes it; where the next line ends. */
  private endOfPassage(end: number): number {
    const begin = this.text.lastIndexOf("\n", end - 1) + 1;
    const line = this.text.slice(begin, end).trim();
    const ticks = /^(`{3,}|~{3,})/.exec(line)?.[1] ?? "";
    const wasFenced = this.fence !== "";
    if (!wasFenced) this.fence = ticks;
    else if (ticks.startsWith(this.fence) && line === ticks) this.fence = "";
    const closes = wasFenced ? this.fence === "" : line === "" || (ticks === "" && end > LONGEST_PASSAGE);
    if (!closes) return this.text.indexOf("\n", end + 1);
    const passage = this.text.slice(0, end);
    if (passage.trim() !== "") {
      draw(this.last, passage);
      this.last = this.node.appendChild(element("div", ""));
    }
    this.text = this.text.slice(end + 1);
    return this.text.indexOf("\n");
  }
}

const INLINE = /`([^`\n]+)`|\*\*([^*\n]+)\*\*|\*([^*\s][^*\n]*)\*|\[([^\]\n]+)\]\([^)\s]+\)/g;

/** Draw one passage anew. */
function draw(node: HTMLElement, text: string): void {
  const fenced = /^\s*(?:`{3,}|~{3,})[^\n]*\n?([\s\S]*?)(?:\n\s*(?:`{3,}|~{3,})\s*)?$/.exec(text);
  if (fenced !== null) {
    const code = element("pre", "");
    code.append(element("code", "", fenced[1] ?? ""));
    node.replaceChildren(code);
    return;
  }
  node.replaceChildren();
  for (const line of text.trim().split("\n")) add(node, line);
}

/** Add a line to a passage: as a block of its own, or to the table or the words that it goes on with. */
function add(passage: HTMLElement, line: string): void {
  const heading = /^\s{0,3}(#{1,6})\s+(.*)$/.exec(line);
  const item = /^(\s*)(?:([-*+])|(\d{1,9}[.)]))\s+(.*)$/.exec(line);
  const last = passage.lastElementChild;
  if (heading !== null) {
    passage.append(filled(document.createElement(`h${String(heading[1]?.length ?? 1)}`), heading[2] ?? ""));
  } else if (/^\s{0,3}([-*_])(?:\s*\1){2,}\s*$/.test(line)) {
    passage.append(element("hr", ""));
  } else if (item !== null) {
    const node = passage.appendChild(filled(element("div", "kubeai-answer-item"), item[4] ?? ""));
    node.style.paddingLeft = `${String(Math.min(item[1]?.length ?? 0, 24) * 0.8 + 2)}em`;
    node.dataset.mark = item[3] ?? "•";
  } else if (/^\s{0,3}\|/.test(line)) {
    addRow(last instanceof HTMLTableElement ? last : passage.appendChild(element("table", "")), line);
  } else {
    const quote = /^\s{0,3}>\s?(.*)$/.exec(line);
    const goesOn = quote === null ? last?.matches("p, blockquote, .kubeai-answer-item") : last?.matches("blockquote");
    if (goesOn === true) filled(last as HTMLElement, `\n${quote?.[1] ?? line}`);
    else passage.append(filled(element(quote === null ? "p" : "blockquote", ""), quote?.[1] ?? line));
  }
}

/** Add a row to a table; the first one is its head, and the line below that is none. */
function addRow(table: HTMLTableElement, line: string): void {
  const isHead = table.tHead === null;
  if (!isHead && table.rows.length === 1 && /^[\s|:-]+$/.test(line)) return;
  const row = (isHead ? table.createTHead() : (table.tBodies[0] ?? table.createTBody())).insertRow();
  const cells = line.trim().replace(/^\||\|$/g, "").split("|");
  row.append(...cells.map((cell) => filled(element(isHead ? "th" : "td", ""), cell.trim())));
}

function filled<T extends HTMLElement>(node: T, text: string): T {
  let done = 0;
  for (const match of text.matchAll(INLINE)) {
    node.append(text.slice(done, match.index));
    const [whole, code, strong, emphasis, link] = match;
    if (code !== undefined) node.append(element("code", "", code));
    else if (strong !== undefined) node.append(element("strong", "", strong));
    else if (emphasis !== undefined) node.append(element("em", "", emphasis));
    else node.append(element("span", "kubeai-answer-link", link));
    done = match.index + whole.length;
  }
  node.append(text.slice(done));
  return node;
}
