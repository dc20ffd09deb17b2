import type { AnyModel, RenderProps } from "@anywidget/types";
import { SILENCE_MS, underWay, UntilItComes } from "../shared/ask";
import { atEnd, button, copyInto, element, keepKeys, put, putText } from "../shared/dom";
import { keepFocus } from "./focus";
import { send, whenGone } from "../shared/gone";
import { type DrawFormula, Formulas } from "./formula";
import { MarkdownView } from "./markdown";
import { Paced } from "./paced";
import { pictureNode, PicturesView } from "./pictures";
import { SettingsView } from "./playground_settings";
import type { AnswerLine, ExchangeLine, PlaygroundMessage, PlaygroundRequest, PlaygroundState, Text } from "./playground_types";

type State = Record<"state", PlaygroundState>;
export type Send = (wanted: Partial<PlaygroundRequest> & Pick<PlaygroundRequest, "verb">) => boolean;

/** Stands for the prompt where a column is named. */
const PROMPT = -1;
/** Milliseconds for which what a Model asks for can be read before it can be allowed. */
const READING = 600;
const NOTHING = { exchange: PROMPT, column: null, calls_id: "", text: "", pictures: [], sure: false, columns: [], settings: {} };
const STILL_COMING = "An answer is still coming. Stop ends it; what you have written stays here.";
const GONE = "The kernel has gone. Run the cell again: the dialogue goes on.";

export default {
  render({ model, el, signal }: RenderProps<State>): (() => void) | undefined {
    const view = new PlaygroundView(model);
    el.append(view.node);
    return atEnd(signal, () => {
      view.stop();
    });
  },
};

/** A dialogue: its exchanges, and the composer below them. The kernel decides all of it; this asks and shows. */
export class PlaygroundView {
  readonly node = element("section", "kubeai-playground");
  private readonly exchanges = element("div", "kubeai-playground-exchanges");
  private readonly dialogue = element("div", "");
  private readonly prompt = element("textarea", "");
  private readonly ask = button("Send");
  private readonly halt = button("Stop");
  private readonly clear = button("New chat");
  private readonly problem = element("p", "kubeai-playground-problem");
  private readonly waiting = element("p", "kubeai-playground-waiting");
  private readonly spoken = element("p", "kubeai-playground-spoken");
  private readonly context = element("span", "kubeai-playground-context");
  private readonly gauge = element("meter", "kubeai-playground-gauge");
  private readonly settings: SettingsView;
  private readonly pictures: PicturesView;
  private readonly formulas = new Formulas(() => this.send({ verb: "formulas" }));
  private readonly shown = new Map<number, ExchangeView>();
  private readonly hearNoMore: () => void;
  private silence: ReturnType<typeof setTimeout> | undefined;
  /** What was asked of the kernel and is not answered yet; it answers in this order. */
  private readonly asked: Parameters<Send>[0][] = [];

  constructor(private readonly model: AnyModel<State>) {
    this.settings = new SettingsView(this.send);
    this.pictures = new PicturesView(this.node, (problem) => {
      put(this.problem, problem);
    });
    this.node.setAttribute("aria-label", "Chat playground");
    keepKeys(this.node);
    this.prompt.setAttribute("aria-label", "Prompt");
    this.prompt.placeholder = "Ask something. Enter sends, Shift+Enter begins a line.";
    this.prompt.rows = 2;
    this.exchanges.tabIndex = 0;
    this.exchanges.append(this.dialogue);
    this.exchanges.setAttribute("role", "region");
    this.exchanges.setAttribute("aria-label", "Dialogue");
    this.spoken.setAttribute("role", "status");
    this.problem.setAttribute("role", "alert");
    const buttons = element("div", "kubeai-buttons");
    buttons.append(this.ask, this.halt, this.pictures.add, this.clear, this.context, this.gauge);
    this.node.append(this.settings.node, this.exchanges, this.problem, this.waiting, this.pictures.node, this.prompt);
    this.node.append(buttons, this.spoken);
    this.listen();
    model.on("change:state", this.show);
    model.on("msg:custom", this.hear);
    this.hearNoMore = whenGone(model, () => {
      this.lose();
    });
    put(this.problem, "");
    put(this.waiting, "");
    this.halt.hidden = true;
    this.show();
  }

  private listen(): void {
    this.ask.addEventListener("click", this.askPrompt);
    this.prompt.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.askPrompt();
    });
    this.halt.addEventListener("click", () => {
      this.send({ verb: "stop" });
    });
    this.clear.addEventListener("click", () => {
      this.send({ verb: "clear" });
    });
  }

  private readonly askPrompt = (): void => {
    const sent = { text: this.prompt.value, pictures: this.pictures.urls };
    if (sent.text.trim() === "" && sent.pictures.length === 0) return;
    if (this.model.get("state").busy) {
      put(this.waiting, STILL_COMING);
      putText(this.spoken, STILL_COMING);
      return;
    }
    if (this.settings.refused) {
      this.settings.tell(); // and hear again why
      return;
    }
    if (!this.send({ verb: "ask", ...sent, sure: this.pictures.sure })) return;
    this.prompt.value = "";
    this.pictures.clear();
    this.exchanges.scrollTop = 0; // the end, by its style
  };

  /**
   * Send what the reader asks, and say whether it was sent. A kernel that runs a cell reads no message until the cell has
   * ended: then it is told that this waits.
   */
  private readonly send: Send = (wanted) => {
    clearTimeout(this.silence);
    if (!send(this.model, { ...NOTHING, ...wanted })) return false;
    this.asked.push(wanted);
    this.silence = setTimeout(() => {
      put(this.waiting, underWay("busy"));
    }, SILENCE_MS);
    return true;
  };

  private readonly hear = (message: unknown): void => {
    if (!isMessage(message)) return;
    if (message.taken) {
      clearTimeout(this.silence);
      put(this.waiting, "");
      put(this.problem, message.problem);
      const asked = this.asked.shift();
      if (asked?.verb === "settings") this.settings.refused = message.problem !== "";
      // What could not be asked goes back to where a prompt is written.
      if (message.problem !== "" && this.prompt.value === "") {
        this.prompt.value = asked?.text ?? "";
        this.pictures.restore(asked?.pictures ?? []);
      }
    }
    if (message.formulas !== "") void this.formulas.take(message.formulas);
    for (const text of message.texts) this.shown.get(text.exchange)?.take(text);
  };

  private readonly show = (): void => {
    const state = this.model.get("state");
    keepFocus(
      this.node,
      () => {
        this.draw(state);
      },
      () => (state.busy ? this.halt : this.prompt),
    );
  };

  private draw(state: PlaygroundState): void {
    const wanted = new Set(state.exchanges.map((line) => line.number));
    for (const [number, view] of this.shown) {
      if (wanted.has(number)) continue;
      view.remove();
      this.shown.delete(number);
    }
    for (const line of state.exchanges) {
      const view = this.shown.get(line.number) ?? new ExchangeView(line.number, this.send, this.formulas.draw);
      if (!this.shown.has(line.number)) {
        this.dialogue.append(view.node);
      }
      this.shown.set(line.number, view);
      view.show(line, state.busy);
    }
    this.exchanges.hidden = state.exchanges.length === 0;
    if (this.halt.hidden === state.busy) {
      putText(this.spoken, state.busy ? "" : howItEnded(state.exchanges.at(-1)));
      if (this.waiting.textContent === STILL_COMING) put(this.waiting, "");
    } else if (state.exchanges.length === 0) putText(this.spoken, "");
    this.halt.hidden = !state.busy;
    this.ask.hidden = state.busy;
    this.pictures.show(state.reads_pictures);
    this.clear.hidden = state.exchanges.length === 0 || state.busy;
    this.showContext(state.context_tokens, state.context_length);
    this.settings.show(state);
    if (state.problem !== "") put(this.problem, state.problem);
  }

  /** How much of what the model reads at once is used; the count alone where the engine does not tell of how much. */
  private showContext(tokens: number, length: number): void {
    const ofLength = length === 0 ? "" : ` of ${String(length)}`;
    put(this.context, tokens === 0 ? "" : `Context: ${String(tokens)}${ofLength} tokens`);
    this.gauge.hidden = tokens === 0 || length === 0;
    this.gauge.setAttribute("aria-label", "Context used");
    Object.assign(this.gauge, { max: length, high: 0.8 * length, optimum: 0, value: tokens });
  }

  private lose(): void {
    clearTimeout(this.silence);
    for (const control of this.node.querySelectorAll<HTMLButtonElement>("button, textarea, input, select")) {
      if (!control.matches("[data-works-alone]")) control.disabled = true;
    }
    put(this.waiting, "");
    put(this.problem, GONE);
  }

  stop(): void {
    clearTimeout(this.silence);
    this.formulas.stop();
    for (const view of this.shown.values()) view.remove();
    this.hearNoMore();
    this.model.off("change:state", this.show);
    this.model.off("msg:custom", this.hear);
  }
}

/** A prompt with its answers side by side. */
class ExchangeView {
  readonly node = element("article", "kubeai-playground-exchange");
  private readonly prompt = element("div", "kubeai-playground-prompt");
  private readonly words = element("div", "kubeai-playground-words");
  private readonly pictures = element("div", "kubeai-buttons");
  private readonly edit = button("Edit", "Edit this prompt");
  private readonly branches = element("span", "kubeai-playground-branches");
  private readonly answers = element("div", "kubeai-playground-answers");
  private readonly columns = new Map<number, AnswerView>();
  private readonly text: UntilItComes;
  private drawn = "";

  constructor(
    private readonly number: number,
    private readonly send: Send,
    private readonly drawFormula: DrawFormula,
  ) {
    this.edit.addEventListener("click", () => {
      this.editPrompt();
    });
    const tools = element("div", "kubeai-buttons");
    tools.append(this.branches, this.edit);
    this.prompt.append(this.pictures, this.words, tools);
    this.node.append(this.prompt, this.answers);
    this.text = new UntilItComes(() => send({ verb: "text", exchange: number, column: PROMPT }));
    this.text.start();
  }

  remove(): void {
    this.node.remove();
    this.text.stop();
    for (const answer of this.columns.values()) answer.stop();
  }

  take(text: Text): void {
    if (text.column === PROMPT) {
      this.text.stop();
      putText(this.words, text.text);
      const name = (place: number) => `Picture ${String(place + 1)} of this prompt`;
      this.pictures.replaceChildren(...text.pictures.map((url, place) => pictureNode(url, name(place))));
    } else this.columns.get(text.column)?.take(text);
  }

  show(line: ExchangeLine, busy: boolean): void {
    const wanted = JSON.stringify([line, busy]);
    if (wanted === this.drawn) return;
    this.drawn = wanted;
    this.edit.hidden = busy;
    this.showBranches(line, busy);
    for (const answer of line.answers) {
      const view = this.columns.get(answer.column) ?? new AnswerView(this.number, answer.column, this.send, this.drawFormula);
      if (!this.columns.has(answer.column)) this.answers.append(view.node);
      this.columns.set(answer.column, view);
      view.show(answer, line, busy);
    }
  }

  private showBranches(line: ExchangeLine, busy: boolean): void {
    const place = line.siblings.indexOf(line.number);
    this.branches.hidden = line.siblings.length < 2;
    if (this.branches.hidden) return;
    const step = (text: string, label: string, number: number | undefined) => {
      const node = button(text, label);
      node.disabled = busy || number === undefined;
      node.addEventListener("click", () => {
        this.send({ verb: "choose", exchange: number ?? line.number });
      });
      return node;
    };
    this.branches.replaceChildren(
      step("‹", "The version before", line.siblings[place - 1]),
      ` ${String(place + 1)}/${String(line.siblings.length)} `,
      step("›", "The next version", line.siblings[place + 1]),
    );
  }

  private editPrompt(): void {
    const text = element("textarea", "");
    text.value = this.words.textContent;
    text.setAttribute("aria-label", "The prompt, edited");
    const [ask, leave] = [button("Send"), button("Cancel")];
    const buttons = element("div", "kubeai-buttons");
    buttons.append(ask, leave);
    const end = () => {
      this.prompt.hidden = false;
      text.remove();
      buttons.remove();
    };
    ask.addEventListener("click", () => {
      if (!this.send({ verb: "edit", exchange: this.number, text: text.value })) return;
      end();
      this.edit.focus();
    });
    leave.addEventListener("click", () => {
      end();
      this.edit.focus();
    });
    this.prompt.hidden = true;
    this.prompt.after(text, buttons);
    text.focus();
  }
}

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
    if (of.answers.length < 2) this.vote.hidden = true;
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

/** What is read out when nothing more comes of the answers to a prompt. */
function howItEnded(exchange: ExchangeLine | undefined): string {
  const states = exchange?.answers.map(({ state }) => state) ?? [];
  if (states.includes("failed")) return "The answer has failed.";
  if (states.includes("asking")) return "The answer asks for a function.";
  if (states.includes("stopped")) return "The answer was stopped.";
  return states.length === 0 ? "" : "The answer has ended.";
}

function isMessage(message: unknown): message is PlaygroundMessage {
  return typeof message === "object" && message !== null && "texts" in message && "taken" in message;
}
