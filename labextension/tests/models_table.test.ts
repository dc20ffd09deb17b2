import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import modelsTable from "../widgets/models_table";
import type { ModelRow, ModelsTable } from "../shared/types";
import { FakeModel } from "./fake_model";

const ROW: ModelRow = {
  name: "",
  uid: "a",
  phase: "Ready",
  tone: "good",
  ready: 1,
  desired: 1,
  engine: "OLlama",
  features: "TextGeneration",
  profile: "cpu:1",
  created_seconds: 0,
  problem: "",
};

function rows(...names: string[]): Pick<ModelsTable, "rows"> {
  return { rows: names.map((name) => ({ ...ROW, name })) };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  document.body.replaceChildren();
  vi.useRealTimers();
});

function shown(...names: string[]) {
  const table = { where: "default", link: "live", link_since_seconds: 0, sent_at_seconds: 0, ...rows(...names) } as ModelsTable;
  const model = new FakeModel<ModelsTable>(table, "table");
  const el = document.body.appendChild(document.createElement("div"));
  modelsTable().render({ model: model.as, el, signal: new AbortController().signal });
  const press = (label: string): void => {
    const node = [...el.querySelectorAll("button")].find((one) => [one.textContent, one.ariaLabel].includes(label));
    if (node === undefined) throw new Error(`no button ${label}`);
    node.focus();
    node.click();
  };
  /** The lines of the table from above, with what stands between them. */
  const lines = () =>
    [...el.querySelectorAll("tbody tr")]
      .map((line) => line.querySelector("th")?.textContent ?? line.textContent)
      .filter(Boolean);
  return { model, el, press, lines, focused: () => document.activeElement?.ariaLabel ?? document.activeElement?.textContent };
}

describe("the table of Models", () => {
  it("says that it is no longer followed where a message cannot be sent", () => {
    const { model, el, press } = shown("a");
    model.shutDown = true;
    press("Delete a …");
    vi.advanceTimersByTime(60_000);
    expect(el.textContent).toContain("No longer followed");
    expect(el.textContent).not.toContain("Queued");
  });

  it("asks below the row whether its Model is to be deleted, and gives the focus back", () => {
    const { model, el, press, lines, focused } = shown("a", "b", "c");
    press("Delete b …");
    model.answer("delete", { note: "With it goes 1 Pod." });
    expect(lines()).toEqual(["a", "b", "Really delete b? With it goes 1 Pod.Delete bKeep as it is", "c"]);
    expect(focused()).toBe("Keep as it is");
    el.querySelector(".kubeai-panel")?.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    expect([lines(), focused()]).toEqual([["a", "b", "c"], "Delete b …"]);
  });

  it("asks of one Model at a time, at the row that was pressed last", () => {
    const { model, press, lines, focused } = shown("a", "b");
    press("Delete b …");
    model.answer("delete", {});
    press("Delete a …");
    model.answer("delete", {});
    expect(lines()).toEqual(["a", "Really delete a? Delete aKeep as it is", "b"]);
    press("Keep as it is");
    expect([lines(), focused()]).toEqual([["a", "b"], "Delete a …"]);
  });

  it("keeps question and focus while rows come and go around them", () => {
    const { model, press, lines, focused } = shown("b", "d");
    press("Delete b …");
    model.answer("delete", {});
    model.receive(rows("a", "b", "c", "d"));
    const question = "Really delete b? Delete bKeep as it is";
    expect([lines(), focused()]).toEqual([["a", "b", question, "c", "d"], "Keep as it is"]);
    model.receive(rows("b"));
    expect([lines(), focused()]).toEqual([["b", question], "Keep as it is"]);
  });

  it("takes the question away with its row, and the focus goes to the next one", () => {
    const { model, press, lines, focused } = shown("a", "b", "c");
    press("Delete b …");
    model.answer("delete", {});
    model.receive(rows("a", "c"));
    expect([lines(), focused()]).toEqual([["a", "c"], "Delete c …"]);
    press("Delete c …");
    model.answer("delete", {});
    press("Delete c");
    model.receive(rows("a"));
    expect(focused()).toBe("Delete a …");
  });

  it("takes the question back where another Model has the name by now, and keeps the row's place", () => {
    const { model, press, lines } = shown("a", "b");
    const anew = { rows: [{ ...ROW, name: "a", uid: "b" }, { ...ROW, name: "b" }] };
    press("Delete a …");
    model.answer("delete", {});
    expect(model.sent.at(-1)).toMatchObject({ verb: "delete", name: "a", uid: "a" });
    model.receive(anew);
    expect(lines()).toEqual(["a", "b"]);
    press("Card of a");
    expect(model.sent.at(-1)).toMatchObject({ verb: "show", uid: "b" });
  });

  it("asks nothing of another Model by an answer that comes late", () => {
    const { model, press, lines } = shown("a");
    press("Delete a …");
    model.receive({ rows: [{ ...ROW, name: "a", uid: "b" }] });
    model.answer("delete", { note: "With it goes 1 Pod." });
    expect(lines()).toEqual(["a"]);
    press("Delete a …");
    model.answer("delete", {});
    press("Delete a");
    model.receive({ rows: [{ ...ROW, name: "a", uid: "c" }] });
    const theirs = { code: "NotYoursError", severity: "error", field: "", message: "a was served by bob.", remedy: "" } as const;
    model.answer("delete", { state: "failed", notices: [theirs] });
    expect(lines()).toEqual(["a", "a was served by bob."]);
  });

  it("says at the row what became of it, also where the row has gone", () => {
    const { model, press, lines } = shown("a", "b", "c");
    press("Card of a");
    model.answer("show", { note: "Its card stands below the table." });
    expect(lines()).toEqual(["a", "Its card stands below the table.", "b", "c"]);
    press("Delete b …");
    model.answer("delete", {});
    press("Delete b");
    model.receive(rows("a", "c"));
    model.answer("delete", { note: "b is deleted." });
    expect(lines()).toEqual(["a", "b is deleted.", "c"]);
  });

  it("goes from row to row by the arrows, past a question", () => {
    const { model, el, press, focused } = shown("a", "b");
    press("Delete a …");
    model.answer("delete", {});
    const arrow = (key: string) => document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    el.querySelector<HTMLElement>("[aria-label='Card of a']")?.focus();
    arrow("ArrowDown");
    expect(focused()).toBe("Card of b");
    arrow("ArrowUp");
    expect(focused()).toBe("Card of a");
  });
});
