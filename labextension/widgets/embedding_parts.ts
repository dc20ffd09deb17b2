import type { AnyModel } from "@anywidget/types";
import { SILENCE_MS, underWay } from "../shared/ask";
import { element, putText } from "../shared/dom";
import type { Row } from "./embedding_types";
import { send, whenGone } from "../shared/gone";

/** Says what goes on, why it failed, and also that nothing goes on because the kernel runs a cell or has gone. */
export class StatusLine {
  readonly node = element("p", "kubeai-embedding-status");
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly model: AnyModel,
    signal: AbortSignal,
    onGone: () => void,
  ) {
    this.node.setAttribute("role", "status");
    const hearNoMore = whenGone(model, () => {
      this.say("The kernel has gone. Run %load_ext kubeai_notebook and the cells again.");
      onGone();
    });
    signal.addEventListener("abort", () => {
      hearNoMore();
      clearTimeout(this.timer);
    });
  }

  /** Send what the reader asks; any state of the kernel's that is shown next ends the waiting. */
  send(request: object, buffers?: ArrayBuffer[]): void {
    clearTimeout(this.timer);
    if (!send(this.model, request, buffers)) return;
    this.timer = setTimeout(() => {
      putText(this.node, underWay("busy"));
    }, SILENCE_MS);
  }

  /** Say what is wrong with what was typed; nothing is asked. */
  readonly tell = (problem: string): void => {
    this.show({ busy: "", problem });
  };

  show({ busy, problem }: { busy: string; problem: string }): void {
    this.say(busy || problem);
    this.node.classList.toggle("kubeai-embedding-problem", busy === "" && problem !== "");
  }

  private say(text: string): void {
    clearTimeout(this.timer);
    putText(this.node, text);
  }
}

/** A line of one field and its button; Enter does what the button does. No form: in JupyterLab's command mode Enter sends none. */
export function field(label: string, press: HTMLButtonElement, onPress: (text: string) => void): HTMLElement {
  const node = element("div", "kubeai-embedding-field");
  const input = element("input", "");
  input.type = "search";
  const words = element("label", "", label);
  words.append(input);
  node.append(words, press);
  press.addEventListener("click", () => {
    onPress(input.value);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") press.click();
  });
  return node;
}

/** The texts that are typed, one a line; where they are more than are taken, none, and what to do is told. */
export function linesOf(texts: HTMLTextAreaElement, most: number, tell: (problem: string) => void): string[] | undefined {
  const lines = texts.value.split("\n").filter((text) => text.trim() !== "");
  if (lines.length <= most) return lines;
  tell(`These are ${String(lines.length)} texts, and ${String(most)} at most are taken: take ${String(lines.length - most)} out.`);
  return undefined;
}

/** Write rows of the reader's frame into a table; without a row it is not there. */
export function putRows(table: HTMLTableElement, caption: string, rows: readonly Row[], score = "Cosine"): void {
  table.hidden = rows.length === 0;
  const hasScores = rows.some((row) => row.score !== null);
  const lines = rows.map((row) => {
    const score = hasScores ? [cell("td", row.score?.toFixed(2) ?? "")] : [];
    return line(cell("th", String(row.place), "row"), cell("td", row.text), ...score);
  });
  const heads = ["Row", "Text", ...(hasScores ? [score] : [])].map((head) => cell("th", head, "col"));
  fill(table, caption, heads, lines);
}

export function fill(table: HTMLTableElement, caption: string, heads: HTMLElement[], lines: HTMLElement[]): void {
  const head = element("thead", "");
  head.append(line(...heads));
  const body = element("tbody", "");
  body.append(...lines);
  table.replaceChildren(element("caption", "", caption), head, body);
}

export function line(...cells: HTMLElement[]): HTMLElement {
  const node = element("tr", "");
  node.append(...cells);
  return node;
}

export function cell(tag: "td" | "th", text: string, scope = ""): HTMLTableCellElement {
  const node = element(tag, "", text);
  if (scope !== "") node.scope = scope;
  return node;
}

/** A signal that is there in every host, and what a host without one calls at the end. */
export function ending(given: AbortSignal | undefined): { signal: AbortSignal; end: (() => void) | undefined } {
  if (given !== undefined) return { signal: given, end: undefined };
  const controller = new AbortController();
  return {
    signal: controller.signal,
    end: () => {
      controller.abort();
    },
  };
}
