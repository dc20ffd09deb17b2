import type { AnyModel } from "@anywidget/types";
import { afterEach, describe, expect, it, vi } from "vitest";
import buttons from "../widgets/buttons";
import code from "../widgets/code";
import type {
  ActionsState,
  CodeState,
  MessagesState,
  NumberState,
  RowsState,
  SecretValueState,
} from "../widgets/form_types";
import messages from "../widgets/messages";
import number from "../widgets/number";
import rows from "../widgets/rows";
import secretValue from "../widgets/secret_value";
import starts from "../widgets/starts";

type Listener = (message?: unknown) => void;

/** The model's half of anywidget: traits, listeners, and messages both ways. */
class FakeModel<State extends object> {
  /** The kernel was shut down: then ipywidgets throws, and tells no widget of it. */
  shutDown = false;
  /** The messages that went to the kernel, and the states. */
  readonly sent: unknown[] = [];
  readonly saved: State[] = [];
  private readonly listeners = new Map<string, Set<Listener>>();

  constructor(readonly state: State) {}

  readonly as = this as unknown as AnyModel<State>;

  get<Name extends keyof State>(name: Name): State[Name] {
    return this.state[name];
  }

  set<Name extends keyof State>(name: Name, value: State[Name]): void {
    this.state[name] = value;
  }

  save_changes(): void {
    this.saved.push({ ...this.state });
  }

  send(message: unknown): void {
    if (this.shutDown) throw new Error("Cannot send");
    this.sent.push(message);
  }

  on(event: string, listener: Listener): void {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(listener));
  }

  off(event: string, listener: Listener): void {
    this.listeners.get(event)?.delete(listener);
  }

  fire(event: string, message?: unknown): void {
    for (const listener of this.listeners.get(event) ?? []) listener(message);
  }

  receive(change: Partial<State>): void {
    Object.assign(this.state, change);
    for (const name of Object.keys(change)) this.fire(`change:${name}`);
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, known) => sum + known.size, 0);
  }
}

interface Widget<State extends object> {
  render: (props: { model: AnyModel<State>; el: HTMLElement; signal: AbortSignal }) => void;
}

/** A widget with a signal of its own, as anywidget gives each view one; `end` takes the view away. */
function drawn<State extends object>(
  widget: Widget<State>,
  state: State,
): { model: FakeModel<State>; el: HTMLElement; end: () => void } {
  const ending = new AbortController();
  const model = new FakeModel(state);
  const el = document.createElement("div");
  const field = document.body.appendChild(document.createElement("div"));
  field.className = "kubeai-form-field";
  field.append(el);
  widget.render({ model: model.as, el, signal: ending.signal });
  const end = () => {
    ending.abort();
  };
  return { model, el, end };
}

function only(root: HTMLElement, selector: string): HTMLElement {
  const node = root.querySelector<HTMLElement>(selector);
  if (node === null) throw new Error(`no ${selector}`);
  return node;
}

function press(node: HTMLElement, key: string): void {
  node.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
}

function type(node: HTMLElement, text: string): void {
  (node as HTMLInputElement).value = text;
  node.dispatchEvent(new Event("input", { bubbles: true }));
}

afterEach(() => {
  document.body.replaceChildren();
  vi.useRealTimers();
});

const COLUMN = { title: "Variable", placeholder: "", multiline: false, suggestions: [] };
const PAIRS: RowsState = { label: "Env", columns: [COLUMN, { ...COLUMN, title: "Value" }], rows: [["A", "1"]], uploads: false };

describe("rows", () => {
  it("adds one with Enter, and sends what is typed", () => {
    const { model, el } = drawn(rows, structuredClone(PAIRS));
    press(only(el, "input"), "Enter");
    expect(document.activeElement).toBe(el.querySelectorAll("input")[2]);
    type(document.activeElement as HTMLElement, "B");
    expect(model.state.rows).toEqual([["A", "1"], ["B", ""]]);
  });

  it("takes an empty one away with Delete, and goes up and down", () => {
    const { model, el } = drawn(rows, { ...structuredClone(PAIRS), rows: [["A", "1"], ["", ""]] });
    const cells = el.querySelectorAll<HTMLElement>("input");
    cells[2]?.focus();
    press(document.activeElement as HTMLElement, "ArrowUp");
    expect(document.activeElement).toBe(cells[0]);
    press(document.activeElement as HTMLElement, "Delete");
    expect(model.state.rows).toHaveLength(2);
    press(document.activeElement as HTMLElement, "ArrowDown");
    press(document.activeElement as HTMLElement, "Delete");
    expect(model.state.rows).toEqual([["A", "1"]]);
    expect(document.activeElement).toBe(cells[0]);
  });

  it("keeps the place of whoever types when the same comes back", () => {
    const { model, el } = drawn(rows, structuredClone(PAIRS));
    const cell = only(el, "input");
    model.receive({ rows: [["A", "1"]] });
    expect(el.contains(cell)).toBe(true);
    model.receive({ rows: [["C", "3"]] });
    expect(only(el, "input")).toHaveProperty("value", "C");
  });
});

describe("messages", () => {
  const state = (text: string): MessagesState => ({
    field: "url",
    lines: [{ severity: "error", text, remedies: [{ id: "0123456789", title: "Use VLLM" }] }],
    about: null,
  });

  it("are text, and their buttons send what they do", () => {
    const { model, el } = drawn(messages, state("<img src=x onerror=alert(1)>"));
    expect(el.querySelector("img")).toBeNull();
    expect(only(el, "[role=alert]").textContent).toContain("Error: <img src=x onerror=alert(1)>");
    only(el, "button").click();
    expect(model.sent).toEqual([{ apply: "0123456789" }]);
  });

  it("have a button that Tab skips while the field holds a text that they are not about", async () => {
    const { model, el } = drawn(messages, { ...state("wrong"), about: "OLlam" });
    const control = document.createElement("input");
    el.before(control);
    await new Promise(requestAnimationFrame);
    control.value = "OLlama";
    control.dispatchEvent(new Event("input", { bubbles: true }));
    expect(only(el, "button").tabIndex).toBe(-1);
    model.receive({ about: "OLlama" });
    expect(only(el, "button").tabIndex).toBe(0);
  });

  it("say that the kernel is busy, until it answers", () => {
    vi.useFakeTimers();
    const { model, el } = drawn(messages, state("wrong"));
    only(el, "button").click();
    vi.advanceTimersByTime(299);
    expect(el.textContent).not.toContain("Queued");
    vi.advanceTimersByTime(2);
    expect(only(el, ".kubeai-form-queued").hidden).toBe(false);
    model.fire("msg:custom", { done: true });
    expect(only(el, ".kubeai-form-queued").hidden).toBe(true);
  });

  /** A form in a notebook whose kernel is shown so: a field with a select of ipywidgets', lines, texts and buttons. */
  function formIn(status: string) {
    const panel = document.body.appendChild(document.createElement("div"));
    panel.className = "jp-NotebookPanel";
    panel.innerHTML = `<i class="jp-Notebook-ExecutionIndicator" data-status="${status}"></i>`;
    const form = panel.appendChild(document.createElement("div"));
    form.className = "kubeai-form";
    form.innerHTML = "<select></select>";
    const line = drawn(messages, state("wrong"));
    const texts = drawn(code, { tabs: [{ title: "YAML", text: "url: x", editable: true, reason: "" }], edited: null });
    const row = drawn(buttons, {
      buttons: [{ id: "deploy", title: "Deploy", primary: true, enabled: true, expanded: null }],
      status: "",
    });
    form.append(line.el, texts.el, row.el);
    return { form, models: [line.model, texts.model, row.model], row };
  }

  function expectGone(form: HTMLElement): void {
    expect(form.querySelectorAll(".kubeai-form-gone")).toHaveLength(1);
    expect(form.textContent).toContain("copy the YAML below first");
    const free = Array.from(form.querySelectorAll<HTMLInputElement>("input, select, textarea, button"))
      .filter((node) => !node.disabled && !node.readOnly);
    expect(free.map((node) => node.textContent)).toEqual(["YAML", "Copy"]);
    expect(Array.from(form.querySelectorAll<HTMLElement>(".kubeai-form-queued")).every((node) => node.hidden)).toBe(true);
  }

  it("say once that the kernel has gone, and the whole form is disabled", () => {
    vi.useFakeTimers();
    const { form, models, row } = formIn("idle");
    only(row.el, "button").click();
    for (const model of models) model.fire("comm_live_update");
    expectGone(form);
    only(row.el, "button").setAttribute("aria-disabled", "false");
    (only(row.el, "button") as HTMLButtonElement).disabled = false;
    only(row.el, "button").click();
    vi.advanceTimersByTime(60_000);
    expect(row.model.sent).toHaveLength(1);
  });

  it("say so too where an idle kernel does not answer, and never where a busy one does not", () => {
    vi.useFakeTimers();
    const idle = formIn("idle");
    only(idle.row.el, "button").click();
    vi.advanceTimersByTime(2900);
    expect(idle.form.querySelector(".kubeai-form-gone")).toBeNull();
    vi.advanceTimersByTime(200);
    expectGone(idle.form);
    const busy = formIn("busy");
    only(busy.row.el, "button").click();
    vi.advanceTimersByTime(60_000);
    expect(busy.form.querySelector(".kubeai-form-gone")).toBeNull();
    expect(busy.form.textContent).toContain("Queued: the kernel is busy");
    busy.row.model.fire("msg:custom", { done: true });
    expect(busy.form.textContent).not.toContain("Queued");
  });

  it("say so at once where a message cannot be sent", () => {
    vi.useFakeTimers();
    const { form, row } = formIn("idle");
    row.model.shutDown = true;
    only(row.el, "button").click();
    expectGone(form);
    vi.advanceTimersByTime(60_000);
    expectGone(form);
  });

  it("listen no more when they are taken away", () => {
    const { model, end } = drawn(messages, state("wrong"));
    end();
    expect(model.listening).toBe(0);
  });
});

describe("buttons", () => {
  const state: ActionsState = {
    buttons: [{ id: "deploy", title: "Deploy", primary: true, enabled: true, expanded: null }],
    status: "",
  };

  it("keep the focus on a button that cannot be pressed now, and send nothing", () => {
    const { model, el } = drawn(buttons, structuredClone(state));
    const button = only(el, "button");
    button.focus();
    model.receive({ buttons: [{ id: "deploy", title: "Deploy", primary: true, enabled: false, expanded: null }], status: "Checking …" });
    button.click();
    expect(document.activeElement).toBe(button);
    expect(model.sent).toEqual([]);
    expect(only(el, ".kubeai-form-status").textContent).toBe("Checking …");
  });
});

describe("a number", () => {
  it("may be left out", () => {
    const state: NumberState = { label: "Replicas", help: "", placeholder: "1", value: 2 };
    const { model, el } = drawn(number, state);
    type(only(el, "input"), "");
    expect(model.state.value).toBeNull();
    type(only(el, "input"), "0");
    expect(model.state.value).toBe(0);
  });
});

describe("a secret's value", () => {
  it("is sent once and stays nowhere", () => {
    const state: SecretValueState = { names: [] };
    const { model, el } = drawn(secretValue, state);
    const [name, value] = Array.from(el.querySelectorAll("input"));
    if (name === undefined || value === undefined) throw new Error("no inputs");
    name.value = "HF_TOKEN";
    value.value = "hf_secret";
    press(value, "Enter");
    expect(model.sent).toEqual([{ keep: "HF_TOKEN", value: "hf_secret" }]);
    expect(JSON.stringify(model.state) + el.outerHTML + value.value).not.toContain("hf_secret");
  });
});

describe("a secret's value that is left", () => {
  it("is kept, since the next button may deploy", () => {
    const { model, el } = drawn<SecretValueState>(secretValue, { names: [] });
    const [name, value] = Array.from(el.querySelectorAll("input"));
    if (name === undefined || value === undefined) throw new Error("no inputs");
    const leave = (from: HTMLElement, to: HTMLElement | null) => {
      from.dispatchEvent(new FocusEvent("focusout", { bubbles: true, relatedTarget: to }));
    };
    name.value = "HF_TOKEN";
    leave(name, null);
    value.value = "hf_secret";
    leave(value, only(el, ".kubeai-form-button"));
    expect(model.sent).toEqual([]);
    leave(value, null);
    leave(value, null);
    expect(model.sent).toEqual([{ keep: "HF_TOKEN", value: "hf_secret" }]);
  });
});

describe("a secret's value that is not whole", () => {
  it("is asked for by the words that lack, and sent once it is there", () => {
    const { model, el } = drawn<SecretValueState>(secretValue, { names: [] });
    const status = only(el, ".kubeai-form-secret [role=status]");
    const [name, value] = Array.from(el.querySelectorAll("input"));
    const keep = only(el, ".kubeai-form-button");
    keep.click();
    expect(status.textContent).toContain("name of the variable");
    expect(document.activeElement).toBe(name);
    type(name as HTMLElement, "HF_TOKEN");
    keep.click();
    expect(status.textContent).toBe("Give the value of HF_TOKEN.");
    expect(document.activeElement).toBe(value);
    expect(model.sent).toEqual([]);
    type(value as HTMLElement, "hf_secret");
    keep.click();
    expect(model.sent).toEqual([{ keep: "HF_TOKEN", value: "hf_secret" }]);
    expect(status.textContent).toBe("");
    model.receive({ names: ["HF_TOKEN"] });
    expect(only(el, "[aria-live]").textContent).toContain("HF_TOKEN is kept");
  });
});

describe("a list to start from", () => {
  it("has groups, sends the place of what is chosen, and keeps none", () => {
    const groups = [{ title: "My presets", options: ["smol"] }, { title: "Catalog", options: ["<b>a</b>", "b"] }];
    const { model, el } = drawn(starts, { label: "Start from", groups });
    const list = only(el, "select") as HTMLSelectElement;
    expect(Array.from(el.querySelectorAll("optgroup"), ({ label }) => label)).toEqual(["My presets", "Catalog"]);
    expect(list.options[2]?.text).toBe("<b>a</b>");
    list.selectedIndex = 3;
    list.dispatchEvent(new Event("change"));
    expect(model.sent).toEqual([{ choose: 2 }]);
    expect(list.selectedIndex).toBe(0);
    list.dispatchEvent(new Event("change"));
    expect(model.sent).toHaveLength(1);
  });
});

describe("code", () => {
  const state = (): CodeState => ({
    tabs: [
      { title: "Summary", text: "a <b>", editable: false, reason: "" },
      { title: "YAML", text: "url: x", editable: true, reason: "" },
    ],
    edited: null,
  });

  function paste(node: HTMLElement, text: string): Event {
    const event = new Event("paste", { bubbles: true, cancelable: true });
    Object.defineProperty(event, "clipboardData", { value: { getData: () => text } });
    node.dispatchEvent(event);
    return event;
  }

  it("shows a tab at a time, by the arrow keys too", () => {
    const { el } = drawn(code, state());
    expect(only(el, ".kubeai-form-summary").textContent).toBe("a <b>");
    press(only(el, "[role=tab]"), "ArrowRight");
    expect(only(el, "[aria-selected=true]").textContent).toBe("YAML");
    expect(only(el, "textarea")).toHaveProperty("value", "url: x");
  });

  it("sends what is pasted over a text, and keeps it with its problem", () => {
    const { model, el } = drawn(code, state());
    press(only(el, "[role=tab]"), "ArrowRight");
    expect(paste(only(el, "textarea"), "url: [").defaultPrevented).toBe(true);
    expect(model.sent).toEqual([{ paste: "url: [" }]);
    model.fire("msg:custom", { problem: "The YAML ends too early." });
    expect(only(el, "[role=alert]").textContent).toBe("The YAML ends too early.");
    expect(only(el, "textarea")).toHaveProperty("value", "url: [");
    model.fire("msg:custom", { problem: "" });
    expect(only(el, "textarea")).toHaveProperty("value", "url: x");
  });

  it("asks which of several Models is meant, by a button for each", () => {
    const { model, el } = drawn(code, state());
    press(only(el, "[role=tab]"), "ArrowRight");
    paste(only(el, "textarea"), "kind: List");
    model.fire("msg:custom", { problem: "The text holds 2 Models. Choose one of them.", choices: ["<b>a</b>", "b"] });
    const buttons = () => Array.from(el.querySelectorAll("button")).filter((node) => /^(<b>a<\/b>|b)$/.test(node.textContent));
    expect(buttons()).toHaveLength(2);
    buttons()[1]?.click();
    expect(model.sent.at(-1)).toEqual({ choose: 1 });
    model.fire("msg:custom", { problem: "" });
    expect(buttons()).toHaveLength(0);
  });

  it("tells the kernel which text is edited, and no text, until the edit is filled in, taken back or gone", () => {
    const { model, el, end } = drawn(code, state());
    press(only(el, "[role=tab]"), "ArrowRight");
    const edit = () => {
      type(only(el, "textarea"), "url: y");
      expect(model.saved.at(-1)?.edited).toBe(1);
    };
    const button = (title: string) => Array.from(el.querySelectorAll("button")).find((node) => node.textContent === title);
    edit();
    expect(JSON.stringify(model.state)).not.toContain("url: y");
    expect(button("Fill the form with this")?.className).toContain("primary");
    button("Undo my edit")?.click();
    expect(model.saved.at(-1)?.edited).toBeNull();
    edit();
    model.fire("msg:custom", { problem: "" });
    expect(model.saved.at(-1)?.edited).toBeNull();
    edit();
    end();
    expect(model.saved.at(-1)?.edited).toBeNull();
  });

  it("says in place of a text why there is none, and is pasted into all the same", () => {
    const { model, el } = drawn(code, state());
    press(only(el, "[role=tab]"), "ArrowRight");
    const reason = only(el, ".kubeai-form-message[data-severity=info]");
    const copy = Array.from(el.querySelectorAll("button")).find((node) => node.textContent === "Copy");
    expect([reason.hidden, copy?.hidden]).toEqual([true, false]);
    const tab = { title: "YAML", text: "", editable: true, reason: "Nothing to run yet." };
    model.receive({ tabs: [state().tabs[0] ?? tab, tab] });
    expect(reason.textContent).toBe("Nothing to run yet.");
    expect([reason.hidden, copy?.hidden]).toEqual([false, true]);
    paste(only(el, "textarea"), "url: y");
    expect(model.sent).toEqual([{ paste: "url: y" }]);
  });

  it("focuses the text that was edited", () => {
    const { model, el } = drawn(code, state());
    press(only(el, "[role=tab]"), "ArrowRight");
    only(el, "textarea").scrollIntoView = vi.fn();
    model.fire("msg:custom", { focus: true });
    expect(document.activeElement).toBe(only(el, "textarea"));
  });

  it("lets whoever edits paste into the text", () => {
    const { model, el } = drawn(code, state());
    press(only(el, "[role=tab]"), "ArrowRight");
    type(only(el, "textarea"), "url: y");
    expect(paste(only(el, "textarea"), "z").defaultPrevented).toBe(false);
    expect(model.sent).toEqual([]);
    model.receive({ tabs: [{ title: "Summary", text: "", editable: false, reason: "" }, { title: "YAML", text: "other", editable: true, reason: "" }] });
    expect(only(el, "textarea")).toHaveProperty("value", "url: y");
  });
});
