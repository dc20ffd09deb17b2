import type { AnyModel, RenderProps } from "@anywidget/types";
import { SILENCE_MS, underWay, UntilItComes } from "../shared/ask";
import { atEnd, button, element, keepKeys, put, putText } from "../shared/dom";
import { keepFocus } from "./focus";
import { send, whenGone } from "../shared/gone";
import { type DrawFormula, Formulas } from "./formula";
import { pictureNode, PicturesView } from "./pictures";
import { AnswerView, type Send } from "./playground_answer";
import { SettingsView } from "./playground_settings";
import type { ExchangeLine, PlaygroundMessage, PlaygroundState, Text } from "./playground_types";

type State = Record<"state", PlaygroundState>;

/** Stands for the prompt where a column is named. */
const PROMPT = -1;
const NOTHING = { exchange: PROMPT, column: null, calls_id: "", text: "", pictures: [], sure: false, columns: [], settings: {} };
const STILL_COMING = "An answer is still coming. Stop ends it; what you have written stays here.";
const GONE = "The kernel has gone. Run %load_ext kubeai_notebook and this cell again: the dialogue goes on.";

export default {
  render({ model, el, signal }: RenderProps<State>): (() => void) | undefined {
    const view = new PlaygroundView(model);
    el.append(view.node);
    return atEnd(signal, () => {
      view.stop();
    });
  },
};

/** Whether a key in a prompt sends it: Shift+Enter begins a line, and an Enter that ends a composed character is none. */
function sends(event: KeyboardEvent): boolean {
  return event.key === "Enter" && !event.shiftKey && !event.isComposing;
}

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
      if (!sends(event)) return;
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
    this.showContext(state);
    this.settings.show(state);
    if (state.problem !== "") put(this.problem, state.problem);
  }

  /** How much of what the fullest column reads at once is used; the count alone where the engine does not tell of how much. */
  private showContext({ context_of: whose, context_tokens: tokens, context_length: length }: PlaygroundState): void {
    const [of, ofLength] = [whose && ` of ${whose}`, length === 0 ? "" : ` of ${String(length)}`];
    put(this.context, tokens === 0 ? "" : `Context${of}: ${String(tokens)}${ofLength} tokens`);
    this.gauge.hidden = tokens === 0 || length === 0;
    this.gauge.setAttribute("aria-label", `Context${of} used`);
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
    text.addEventListener("keydown", (event) => {
      if (!sends(event)) return;
      event.preventDefault();
      ask.click();
    });
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
