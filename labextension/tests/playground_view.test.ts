import { expect, it, vi } from "vitest";
import { PlaygroundView } from "../widgets/playground";
import type { PlaygroundState } from "../widgets/playground_types";
import { FakeModel } from "./fake_model";

const STATE: PlaygroundState = {
  columns: ["smol"],
  choices: ["smol"],
  exchanges: [],
  busy: false,
  reads_pictures: false,
  settings: {},
  context_of: "",
  context_tokens: 0,
  context_length: 0,
  problem: "",
};

function shown(change: Partial<PlaygroundState> = {}) {
  const model = new FakeModel({ ...STATE, ...change }, "state");
  const view = new PlaygroundView(model.as);
  document.body.replaceChildren(view.node);
  const part = (name: string) => view.node.querySelector<HTMLElement>(name);
  return { model, view, part };
}

it("shows how much of the context is used, where it is known how much there is", () => {
  const { model, view, part } = shown({ context_tokens: 300 });
  const gauge = view.node.querySelector("meter");
  const text = () => part(".kubeai-playground-context")?.textContent;
  expect([text(), gauge?.hidden]).toEqual(["Context: 300 tokens", true]);
  model.receive({ context_length: 2048 });
  expect([text(), gauge?.hidden, gauge?.value, gauge?.max]).toEqual(["Context: 300 of 2048 tokens", false, 300, 2048]);
  expect(gauge?.getAttribute("aria-label")).toBe("Context used");
});

it("says whose context it shows where several answer", () => {
  const { part, view } = shown({ context_of: "smol_loud", context_tokens: 1300, context_length: 4096 });
  expect(part(".kubeai-playground-context")?.textContent).toBe("Context of smol_loud: 1300 of 4096 tokens");
  expect(view.node.querySelector("meter")?.getAttribute("aria-label")).toBe("Context of smol_loud used");
});

it("keeps the focus where a button goes", () => {
  const { model, view } = shown();
  const button = (name: string) => [...view.node.querySelectorAll("button")].find((one) => one.textContent === name);
  button("Send")?.focus();
  model.receive({ busy: true });
  expect(document.activeElement).toBe(button("Stop"));
  model.receive({ busy: false });
  expect(document.activeElement?.getAttribute("aria-label")).toBe("Prompt");
});

it("sends an edited prompt by Enter, and begins a line by Shift+Enter", () => {
  const answers = [{ column: 0, model: "smol", state: "done" as const, pieces: 0, note: "", calls: [], calls_not_shown: "", calls_id: "", figures: "" }];
  const { model, view } = shown({ exchanges: [{ number: 0, siblings: [0], vote: null, answers }] });
  [...view.node.querySelectorAll("button")].find((one) => one.textContent === "Edit")?.click();
  const edited = view.node.querySelector<HTMLTextAreaElement>('[aria-label="The prompt, edited"]');
  for (const shiftKey of [true, false]) edited?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", shiftKey, cancelable: true }));
  expect(model.sent.filter((sent) => JSON.stringify(sent).includes('"edit"'))).toHaveLength(1);
});

it("takes a picture without words, and gives it back where it could not be sent", async () => {
  const { model, view, part } = shown();
  const files = [new File([new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10])], "a.png", { type: "image/png" })];
  const paste = Object.assign(new Event("paste", { bubbles: true, cancelable: true }), { clipboardData: { files } });
  view.node.dispatchEvent(paste);
  await vi.waitFor(() => {
    expect(part("img")).not.toBeNull();
  });
  const send = [...view.node.querySelectorAll("button")].find((one) => one.textContent === "Send");
  send?.click();
  expect(model.sent.at(-1)).toMatchObject({ verb: "ask", text: "", pictures: ["data:image/png;base64,iVBORw0KGgo="], sure: false });
  expect(part(".kubeai-playground-chip")).toBeNull();
  model.fire("msg:custom", { texts: [], taken: true, problem: "smol is not known to read pictures.", formulas: "" });
  expect(part(".kubeai-playground-chip")).not.toBeNull();
});

it("gives a prompt back, and an edited one, behind the answer to what was asked before", () => {
  const exchange = { number: 3, siblings: [3], vote: null, answers: [] };
  const { model, view, part } = shown({ exchanges: [exchange] }); // of which it asks the words
  const prompt = part("textarea[aria-label=Prompt]") as HTMLTextAreaElement;
  const press = (name: string) => [...view.node.querySelectorAll("button")].find((one) => one.textContent === name)?.click();
  const taken = (problem: string) => {
    model.fire("msg:custom", { texts: [], taken: true, problem, formulas: "" });
  };
  prompt.value = "Is Brie a cheese?";
  press("Send");
  taken("");
  taken("A text of more than 8,000,000 characters cannot be sent.");
  expect(prompt.value).toBe("Is Brie a cheese?");
  prompt.value = "";
  press("Edit");
  Object.assign(part("textarea[aria-label='The prompt, edited']") ?? {}, { value: "And Gouda?" });
  press("Send");
  taken("A text of more than 8,000,000 characters cannot be sent.");
  expect(prompt.value).toBe("And Gouda?");
  view.stop();
});

it("asks nothing while a setting is refused, and keeps what was written", () => {
  const { model, view, part } = shown({ settings: { temperature: "0.2" } });
  const temperature = [...view.node.querySelectorAll("label")].find((one) => one.textContent === "Temperature")?.querySelector("textarea");
  const prompt = part("textarea[aria-label=Prompt]") as HTMLTextAreaElement;
  const send = () => [...view.node.querySelectorAll("button")].find((one) => one.textContent === "Send")?.click();
  const taken = (problem: string) => {
    model.fire("msg:custom", { texts: [], taken: true, problem, formulas: "" });
  };
  const write = (value: string) => {
    Object.assign(temperature ?? {}, { value });
    temperature?.dispatchEvent(new Event("change"));
  };
  prompt.value = "Is Brie a cheese?";
  write("hot");
  taken('"Temperature" takes a number.');
  model.receive({ context_tokens: 1 });
  send();
  expect(model.sent.map((one) => (one as unknown as { verb: string }).verb)).toEqual(["settings", "settings"]);
  expect([temperature?.value, prompt.value]).toEqual(["hot", "Is Brie a cheese?"]);
  taken('"Temperature" takes a number.');
  write("0.5");
  taken("");
  send();
  expect(model.sent.at(-1)).toMatchObject({ verb: "ask", text: "Is Brie a cheese?" });
});

it("keeps a prompt that could not be sent, since the kernel was shut down", () => {
  const { model, view, part } = shown();
  const prompt = part("textarea[aria-label=Prompt]") as HTMLTextAreaElement;
  prompt.value = "Is Brie a cheese?";
  model.shutDown = true;
  [...view.node.querySelectorAll("button")].find((one) => one.textContent === "Send")?.click();
  expect(prompt.value).toBe("Is Brie a cheese?");
  expect(part(".kubeai-playground-problem")?.textContent).toContain("The kernel has gone");
});

it("asks for a prompt's words until they come", () => {
  vi.useFakeTimers();
  const exchange = { number: 3, siblings: [3], vote: null, answers: [] };
  const { model, view, part } = shown({ exchanges: [exchange] });
  const asked = () => (model.sent as unknown as { verb: string }[]).filter(({ verb }) => verb === "text").length;
  vi.advanceTimersByTime(2_500);
  expect(asked()).toBe(2);
  const text = { exchange: 3, column: -1, seq: 0, whole: true, text: "Hi", reasoning: "", pictures: [], figures: "" };
  model.fire("msg:custom", { texts: [text], problem: "", taken: true, formulas: "" });
  expect(part(".kubeai-playground-words")?.textContent).toBe("Hi");
  model.receive({ exchanges: [exchange, { ...exchange, number: 4 }] });
  view.stop();
  vi.advanceTimersByTime(60_000);
  expect(asked()).toBe(3);
  vi.useRealTimers();
});

it("says how the last answer ended, and nothing of it before and after", () => {
  const { model, part } = shown();
  const said = () => part(".kubeai-playground-spoken")?.textContent;
  const told = (busy: boolean, state = "") => {
    const answer = { column: 0, model: "smol", state, pieces: 0, note: "", calls: [], calls_not_shown: "", calls_id: "", figures: "" };
    const answers = [answer] as PlaygroundState["exchanges"][number]["answers"];
    model.receive({ busy, exchanges: state === "" ? [] : [{ number: 0, siblings: [0], vote: null, answers }] });
    return said();
  };
  expect(said()).toBe("");
  expect([told(true, "streaming"), told(false, "done")]).toEqual(["", "The answer has ended."]);
  expect([told(true, "streaming"), told(false, "stopped")]).toEqual(["", "The answer was stopped."]);
  expect([told(true, "waiting"), told(false, "failed")]).toEqual(["", "The answer has failed."]);
  expect(told(false)).toBe("");
});

it("says while an answer comes why Enter sends nothing", () => {
  const { model, part } = shown();
  const prompt = part("textarea[aria-label=Prompt]") as HTMLTextAreaElement;
  model.receive({ busy: true });
  const press = () => prompt.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
  press();
  expect(part(".kubeai-playground-waiting")?.hidden).toBe(true);
  prompt.value = "And Gouda?";
  press();
  expect(part(".kubeai-playground-waiting")?.textContent).toContain("An answer is still coming.");
  expect(prompt.value).toBe("And Gouda?");
  model.receive({ busy: false });
  expect(part(".kubeai-playground-waiting")?.hidden).toBe(true);
});

it.each([
  [["smol", "smol"], ["smol"], "smol answers more than once. There is no other one here to compare with."],
  [["smol", "smol"], ["smol", "large"], "smol answers more than once. Choose another one in a column."],
  [["smol", "large"], ["smol", "large"], ""],
])("says where %s of %s are compared that one is compared with itself", (columns, choices, words) => {
  const { model, part } = shown();
  model.receive({ columns, choices });
  expect(part(".kubeai-playground-settings [role=status]")?.textContent).toBe(words);
});
