import { UntilItComes } from "../shared/ask";
import { button, copyInto, element, put, putText } from "../shared/dom";
import type { DrawFormula } from "./formula";
import { MarkdownView } from "./markdown";
import { Paced } from "./paced";
import type { AnswerLine, ExchangeLine, PlaygroundRequest, Text } from "./playground_types";

export type Send = (wanted: Partial<PlaygroundRequest> & Pick<PlaygroundRequest, "verb">) => boolean;

/** Milliseconds for which what a Model asks for can be read before it can be allowed. */
const READING = 600;

/** What one column answered. */
export class AnswerView {
  readonly node = element("div", "kubeai-playground-answer");
  private readonly name = element("strong", "");
  private readonly figures = element("span", "kubeai-playground-figures");
  private readonly thoughts = element("details", "kubeai-playground-thoughts");
  private readonly thought = element("div", "kubeai-playground-words");
  private readonly calls = element("div", "kubeai-playground-calls");
  private readonly note = element("p", "kubeai-playground-note");
  private readonly again = button("Regenerate");
  private readonly copy = button("Copy", "Copy this answer");
  private readonly vote = button("Better", "This answer is the better one");
  private readonly callButtons = element("div", "kubeai-buttons");
  private readonly allow = button("Run it");
  private callsId = "";
  private markdown: MarkdownView;
  private readonly drawing = new Paced((text) => {
    this.markdown.append(text);
  });
  private text = "";
  private head = "";
  private seq = 0;
  private readonly whole: UntilItComes;

  constructor(
    exchange: number,
    column: number,
    send: Send,
    private readonly drawFormula: DrawFormula = () => undefined,
  ) {
    this.whole = new UntilItComes(() => send({ verb: "text", exchange, column }));
    this.markdown = new MarkdownView(codeButtons, drawFormula);
    const head = element("header", "");
    head.append(this.name, this.figures);
    this.thoughts.append(element("summary", "", "Reasoning"), this.thought);
    this.thoughts.hidden = true;
    const refuse = button("Do not run it");
    this.allow.addEventListener("click", () => {
      if (this.allow.ariaDisabled !== "true") send({ verb: "allow", exchange, column, calls_id: this.callsId });
    });
    refuse.addEventListener("click", () => {
      send({ verb: "refuse", exchange, column, calls_id: this.callsId });
    });
    this.callButtons.append(this.allow, refuse);
    this.again.addEventListener("click", () => {
      send({ verb: "regenerate", exchange, column });
    });
    this.vote.addEventListener("click", () => {
      const isTaken = this.vote.getAttribute("aria-pressed") === "true";
      send({ verb: "vote", exchange, column: isTaken ? null : column });
    });
    this.copy.dataset.worksAlone = "";
    this.copy.addEventListener("click", () => {
      void copyInto(this.markdown.node, this.copy, this.text);
    });
    const buttons = element("div", "kubeai-buttons");
    buttons.append(this.vote, this.again, this.copy);
    this.node.append(head, this.thoughts, this.markdown.node, this.calls, this.callButtons, this.note, buttons);
  }

  show(line: AnswerLine, of: ExchangeLine, busy: boolean): void {
    this.node.dataset.state = line.state;
    putText(this.name, line.model);
    if (line.state !== "streaming" || line.figures !== "") putText(this.figures, line.figures);
    put(this.note, line.note || { waiting: "Waiting …", streaming: "", asking: "", done: "", stopped: "Stopped.", failed: "" }[line.state]);
    this.calls.replaceChildren(...line.calls.map((call) => element("code", "", `${call.name}(${call.arguments})`)));
    if (line.calls_not_shown !== "") this.calls.append(element("p", "", line.calls_not_shown));
    this.allow.hidden = line.calls_not_shown !== "";
    if (line.calls_id !== this.callsId) this.letRead(line.calls_id);
    this.callButtons.hidden = line.state !== "asking";
    this.again.hidden = this.vote.hidden = busy;
    this.copy.hidden = busy;
    if (of.answers.length < 2 || line.state === "failed") this.vote.hidden = true;
    this.vote.setAttribute("aria-pressed", String(of.vote === line.column));
    if (line.pieces > this.seq) this.whole.start();
  }

  /** The second half of a double click allows no call that came after the first. */
  private letRead(callsId: string): void {
    this.callsId = callsId;
    this.allow.ariaDisabled = "true";
    setTimeout(() => {
      if (this.callsId === callsId) this.allow.ariaDisabled = null;
    }, READING);
  }

  /** Ask and draw no more. */
  stop(): void {
    this.whole.stop();
    this.drawing.stop();
  }

  take(piece: Text): void {
    if (piece.whole) {
      this.stop();
      this.text = this.head = "";
      this.thought.textContent = "";
      const markdown = new MarkdownView(codeButtons, this.drawFormula);
      this.markdown.node.replaceWith(markdown.node);
      this.markdown = markdown;
      this.seq = piece.seq;
    } else if (piece.seq === this.seq) {
      this.seq += 1;
    } else {
      if (piece.seq > this.seq) this.whole.start();
      return;
    }
    if (piece.figures !== "") putText(this.figures, piece.figures);
    if (piece.reasoning !== "") this.think(piece.reasoning);
    this.add(piece.text);
  }

  /** Where its engine does not tell it apart, a model's reasoning begins the text. */
  private add(text: string): void {
    this.text += text;
    if (this.head === "" && this.text.length > text.length) {
      this.drawing.add(text);
      return;
    }
    this.head += text;
    const begun = /^\s*<think>/.exec(this.head);
    if (begun === null) {
      if (!"<think>".startsWith(this.head.trim())) this.answerWith(this.head);
      return;
    }
    const [thought = "", ...answer] = this.head.slice(begun[0].length).split("</think>");
    this.thought.textContent = "";
    this.think(thought);
    if (answer.length > 0) this.answerWith(answer.join("</think>").trimStart());
  }

  private answerWith(text: string): void {
    this.head = "";
    this.drawing.add(text);
  }

  private think(text: string): void {
    this.thoughts.hidden = false;
    this.thought.append(text);
  }
}

/** The JupyterLab extension sets it on the page's body: it puts the code of the event below into a new cell. */
const INSERTS = "kubeai-inserts";
const OF_CELLS = ["", "python", "python3", "py", "ipython"];

function codeButtons(code: string, language: string): HTMLElement[] {
  const [insert, copy] = [button("Insert", "Insert this code into a new cell below"), button("Copy", "Copy this code")];
  copy.dataset.worksAlone = insert.dataset.worksAlone = "";
  const shown = element("span", "", code);
  copy.addEventListener("click", () => {
    void copyInto(shown, copy, code);
  });
  insert.addEventListener("click", () => {
    insert.dispatchEvent(new CustomEvent("kubeai:insert", { bubbles: true, detail: code }));
    putText(insert, "Inserted");
  });
  const buttons = element("div", "kubeai-buttons");
  if (document.body.classList.contains(INSERTS) && OF_CELLS.includes(language)) buttons.append(insert);
  buttons.append(copy);
  return [buttons];
}
