import type { RenderProps } from "@anywidget/types";
import { shown } from "./asking";
import { button, element, keepKeys } from "../shared/dom";
import { cell, ending, field, fill, line, linesOf, putRows, StatusLine } from "./embedding_parts";
import type { EmbeddingRequest, EmbeddingState } from "./embedding_types";

// No interface: anywidget's model wants one with an index.
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
type State = { state: EmbeddingState };

export default () => ({
  render({ model, el, signal: given }: Pick<RenderProps<State>, "model" | "el"> & { signal?: AbortSignal }) {
    const { signal, end } = ending(given);
    const section = element("section", "kubeai-embedding");
    keepKeys(section);
    const status = new StatusLine(model, signal, () => {
      for (const control of section.querySelectorAll("button")) control.disabled = true;
    });
    const ask = (wanted: Partial<EmbeddingRequest> & Pick<EmbeddingRequest, "verb">) => {
      status.send({ texts: [], query: "", ...wanted });
    };
    const first = model.get("state");
    section.setAttribute("aria-label", `Embeddings by ${first.model}`);

    const texts = element("textarea", "");
    texts.rows = 4;
    texts.value = first.texts.join("\n");
    const words = element("label", "", `Texts to compare by ${first.model}, one a line, ${String(first.most_texts)} at most`);
    words.append(texts);
    const compare = button("Compare");
    compare.addEventListener("click", () => {
      const lines = linesOf(texts, first.most_texts, status.tell);
      if (lines !== undefined) ask({ verb: "compare", texts: lines });
    });
    const matrix = element("table", "kubeai-embedding-matrix");
    // Many texts are wider than a narrow cell; a reader without a mouse scrolls by arrow keys.
    matrix.tabIndex = 0;
    section.append(words, compare, matrix);

    const nearest = element("table", "kubeai-embedding-rows");
    const open = button("Open the map");
    if (first.column !== "") {
      const label = `Search ${first.rows.toLocaleString("en")} rows of column ${first.column}`;
      const search = field(label, button("Search"), (query) => {
        ask({ verb: "search", query });
      });
      open.addEventListener("click", () => {
        ask({ verb: "map" });
      });
      section.append(search, nearest, open);
    }
    section.append(status.node);
    el.append(section);
    shown(model, signal, ["state"], () => {
      const state = model.get("state");
      putMatrix(matrix, state);
      putRows(nearest, `Nearest to: ${state.query}`, state.nearest);
      open.hidden = state.map_is_open;
      status.show(state);
    });
    return end;
  },
});

/** Each text's cosine with each: a number on a shade that grows with it. */
function putMatrix(table: HTMLTableElement, { texts, cosines }: EmbeddingState): void {
  table.hidden = cosines.length === 0;
  const heads = [cell("th", "Text", "col"), ...texts.map((_, index) => cell("th", String(index + 1), "col"))];
  const lines = cosines.map((row, index) => {
    const head = cell("th", `${String(index + 1)}. ${texts[index] ?? ""}`, "row");
    return line(head, ...row.map(shaded));
  });
  fill(table, "Cosine of each text with each: 1 is the same, about 0 has nothing in common", heads, lines);
}

function shaded(cosine: number): HTMLElement {
  const node = cell("td", cosine.toFixed(2));
  node.style.setProperty("--near", `${String(Math.round(Math.min(Math.max(cosine, 0), 1) * 50))}%`);
  return node;
}
