import { beforeEach, expect, it, vi } from "vitest";
import { insert } from "../src/insert";
import { insertInto } from "../src/notebooks";
import { AnswerView } from "../widgets/playground_answer";

beforeEach(() => {
  // Each test's extension listens at a body of its own.
  document.documentElement.replaceChild(document.createElement("body"), document.body);
});

/** An answer in the output of the second cell of a notebook; `extended`: the extension is there. */
function answered(text: string, { extended }: { extended: boolean }) {
  const node = document.createElement("div");
  node.className = "jp-NotebookPanel";
  document.body.append(node);
  const insertCell = vi.fn();
  const content = { widgets: [{}, { outputArea: { node } }], activeCellIndex: 0, model: { sharedModel: { insertCell } } };
  const shell = { widgets: () => [{ node, content, sessionContext: {} }] };
  if (extended) void insert.activate({ shell } as unknown as Parameters<typeof insert.activate>[0]);
  const view = new AnswerView(0, 0, () => true);
  node.append(view.node);
  view.take({ exchange: 0, column: 0, seq: 0, whole: false, text, reasoning: "", pictures: [], figures: "" });
  const buttons = [...view.node.querySelectorAll<HTMLButtonElement>(".kubeai-markdown-code button")];
  return { insertCell, content, buttons, names: buttons.map((one) => one.textContent) };
}

it("puts code into a new cell below, and does not run it", () => {
  const { insertCell, content, buttons, names } = answered("```python\nx = 1\n```\n", { extended: true });
  expect(names).toEqual(["Insert", "Copy"]);
  buttons[0]?.click();
  expect(insertCell.mock.calls).toEqual([[2, { cell_type: "code", source: "x = 1" }]]);
  expect(content.activeCellIndex).toBe(2);
  expect(buttons[0]?.textContent).toBe("Inserted");
});

it.each([
  ["into the active cell where that is empty", " \n", true, ["y = 2"]],
  ["into a new cell where the active one has code", "x = 1", true, ["x = 1", "y = 2"]],
  ["into a new cell where the active one is a text", "", false, ["", "y = 2"]],
])("puts a Model's code %s", (_where, before, isCode, after) => {
  const sources = [before];
  const sharedModel = {
    getSource: () => sources[0],
    setSource: (source: string) => {
      sources[0] = source;
    },
    insertCell: (index: number, cell: { source: string }) => sources.splice(index, 0, cell.source),
  };
  const content = { activeCell: { model: { sharedModel }, outputArea: isCode ? {} : undefined }, activeCellIndex: 0, model: { sharedModel } };
  const notebook = { title: { label: "a.ipynb" }, content };
  expect(insertInto(notebook as unknown as Parameters<typeof insertInto>[0], "y = 2")).toBe("a.ipynb");
  expect([sources, content.activeCellIndex]).toEqual([after, after.length - 1]);
});

it.each([
  ["the extension is not there", "```python\nx = 1\n```\n", false],
  ["no cell runs it", "```sql\nselect 1\n```\n", true],
])("offers a copy only where %s", (_why, text, extended) => {
  expect(answered(text, { extended }).names).toEqual(["Copy"]);
});
