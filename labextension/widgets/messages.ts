import type { AnyModel, RenderProps } from "@anywidget/types";
import { Asking, heard, shown } from "./asking";
import { element, iconOf } from "../shared/dom";
import type { MessageLine, MessagesState } from "./form_types";

type Model = AnyModel<MessagesState>;
type Props = Pick<RenderProps<MessagesState>, "model" | "el" | "signal">;

const CONTROLS = "input, select, textarea";
const TONES = { error: "bad", warning: "warn", well: "good", info: undefined, change: undefined } as const;
const WORDS = { error: "Error", warning: "Warning", info: "", well: "", change: "Changes" } as const;

/** Lines about one field, below it; what they say is heard by a screen reader, and the field is marked as wrong. */
export default { render };

function render({ model, el, signal }: Props): void {
  const asking = new Asking(model, signal);
  // Both regions stand there from the start: one that comes with its text is not heard.
  const urgent = region("alert");
  const polite = region("status");
  el.append(urgent, polite, asking.node);
  const drawn = { urgent: "", polite: "" };
  const skip = (): void => {
    skipStale(el, model);
  };
  shown(model, signal, ["lines", "about"], () => {
    const lines = model.get("lines");
    const errors = lines.filter((line) => line.severity === "error");
    const others = lines.filter((line) => line.severity !== "error");
    drawn.urgent = draw(urgent, errors, drawn.urgent, asking);
    drawn.polite = draw(polite, others, drawn.polite, asking);
    skip();
    requestAnimationFrame(() => {
      mark(el, model, errors.length > 0);
      el.closest(".kubeai-form-field")?.addEventListener("input", skip, { signal });
    });
  });
  heard(model, signal, (message) => {
    if (isFocus(message)) focusWhenVisible(el, signal);
  });
}

function region(role: string): HTMLElement {
  const node = element("div", "kubeai-form-messages");
  node.setAttribute("role", role);
  return node;
}

/** Draw anew where something differs: a button that has the focus keeps it. */
function draw(node: HTMLElement, lines: readonly MessageLine[], before: string, asking: Asking): string {
  const wanted = JSON.stringify(lines);
  if (wanted !== before) node.replaceChildren(...lines.map((line) => lineNode(line, asking)));
  return wanted;
}

function lineNode(line: MessageLine, asking: Asking): HTMLElement {
  const node = element("div", "kubeai-form-message");
  node.dataset.severity = line.severity;
  const words = element("span", "kubeai-form-words");
  const word = WORDS[line.severity];
  if (word !== "") words.append(element("strong", "", `${word}: `));
  words.append(line.text);
  const tone = TONES[line.severity];
  if (tone !== undefined) node.append(iconOf(tone));
  node.append(words);
  for (const remedy of line.remedies) {
    const button = element("button", "kubeai-form-button", remedy.title);
    button.type = "button";
    button.addEventListener("click", () => {
      asking.send({ apply: remedy.id });
    });
    node.append(button);
  }
  return node;
}

/** Tie the field's controls to these lines: ipywidgets has no way to say it. */
function mark(el: HTMLElement, model: Model, wrong: boolean): void {
  el.id ||= `kubeai-messages-${model.get("field")}-${String(++count)}`;
  for (const control of controlsBeside(el)) {
    control.setAttribute("aria-invalid", String(wrong));
    control.setAttribute("aria-describedby", el.id);
  }
}
let count = 0;

/** A button about a text that was typed on would catch the Tab that leaves the field, and the words typed after it. */
function skipStale(el: HTMLElement, model: Model): void {
  const [control] = controlsBeside(el);
  const about = model.get("about");
  const isStale = typeof about === "string" && control instanceof HTMLInputElement && control.value !== about;
  for (const button of el.querySelectorAll("button")) button.tabIndex = isStale ? -1 : 0;
}

function controlsBeside(el: HTMLElement): HTMLElement[] {
  return Array.from(el.closest(".kubeai-form-field")?.querySelectorAll<HTMLElement>(CONTROLS) ?? []);
}

function isFocus(message: unknown): boolean {
  return typeof message === "object" && message !== null && "focus" in message;
}

/** A field in a folded part has to be unfolded first, which comes a few frames later. */
function focusWhenVisible(el: HTMLElement, signal: AbortSignal, frames = 60): void {
  const control = controlsBeside(el).find((node) => node.checkVisibility());
  if (control !== undefined) {
    control.focus();
    control.scrollIntoView({ block: "center" });
  } else if (frames > 0 && !signal.aborted) {
    requestAnimationFrame(() => {
      focusWhenVisible(el, signal, frames - 1);
    });
  }
}
