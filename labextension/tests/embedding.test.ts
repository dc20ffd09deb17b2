import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import embedding from "../widgets/embedding";
import type { EmbeddingState, MapState } from "../widgets/embedding_types";
import map from "../widgets/map";
import { shownIn, textsOf } from "./shown_in";

const STATE: EmbeddingState = {
  model: "mini",
  column: "text",
  rows: 5000,
  most_texts: 12,
  texts: [],
  cosines: [],
  query: "",
  nearest: [],
  map_is_open: false,
  busy: "",
  problem: "",
};
const MAP: MapState = {
  model: "mini",
  column: "text",
  color: "kind",
  count: 2,
  without_vector: 1,
  colors: ["#0072b2", "#e69f00"],
  legend: [
    { label: "<b>cats</b>", color: "#0072b2", count: 1 },
    { label: "dogs", color: "#e69f00", count: 1 },
  ],
  selected_count: 0,
  selected: [],
  busy: "",
  problem: "",
};

beforeEach(() => {
  vi.useFakeTimers();
  // jsdom has no canvas: as in a browser without WebGL, no context comes.
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(null);
});

afterEach(() => {
  document.body.replaceChildren();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("the playground of embeddings", () => {
  it("asks for the cosines of the lines, and shows them as a table of numbers", () => {
    const { model, el, find, press } = shownIn(embedding(), { state: STATE });
    expect(find(".kubeai-embedding-matrix")?.hidden).toBe(true);
    (find("textarea") as HTMLTextAreaElement).value = "a cat\n\n<img src=x>\n";
    press("Compare");
    expect(model.sent).toEqual([{ verb: "compare", texts: ["a cat", "<img src=x>"], query: "" }]);
    model.receive({ texts: ["a cat", "<img src=x>"], cosines: [[1, -0.25], [-0.25, 1]] });
    expect(textsOf(el, ".kubeai-embedding-matrix")).toEqual([
      ["Text", "1", "2"],
      ["1. a cat", "1.00", "-0.25"],
      ["2. <img src=x>", "-0.25", "1.00"],
    ]);
    expect([...el.querySelectorAll("td")].map((node) => node.style.getPropertyValue("--near"))).toEqual(["50%", "0%", "0%", "50%"]);
    expect(find("img")).toBeNull();
  });

  it("sends nothing where the lines are more than are compared, and says so", () => {
    const { model, find, press } = shownIn(embedding(), { state: { ...STATE, most_texts: 2 } });
    (find("textarea") as HTMLTextAreaElement).value = "a cat\na dog\n\na cow\n";
    press("Compare");
    expect(find(".kubeai-embedding-status")?.textContent).toBe("These are 3 texts, and 2 at most are taken: take 1 out.");
    expect(find(".kubeai-embedding-status")?.classList).toContain("kubeai-embedding-problem");
    expect(model.sent).toEqual([]);
    (find("textarea") as HTMLTextAreaElement).value = "a cat\na dog\n";
    press("Compare");
    expect(model.sent).toEqual([{ verb: "compare", texts: ["a cat", "a dog"], query: "" }]);
  });

  it("searches a frame by Enter, and opens its map", () => {
    const { model, el, find, press } = shownIn(embedding(), { state: STATE });
    expect(find(".kubeai-embedding-field label")?.textContent).toBe("Search 5,000 rows of column text");
    (find("input") as HTMLInputElement).value = "pets";
    find("input")?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    press("Open the map");
    expect(model.sent).toEqual([
      { verb: "search", texts: [], query: "pets" },
      { verb: "map", texts: [], query: "" },
    ]);
    model.receive({ query: "pets", nearest: [{ place: 7, text: "a cat", score: 0.625 }], map_is_open: true });
    expect(textsOf(el, ".kubeai-embedding-rows")).toEqual([["Row", "Text", "Cosine"], ["7", "a cat", "0.63"]]);
    expect([...el.querySelectorAll("button")].find((node) => node.textContent === "Open the map")?.hidden).toBe(true);
  });

  it("offers no search without a frame", () => {
    expect(shownIn(embedding(), { state: { ...STATE, column: "" } }).find("input")).toBeNull();
  });

  it("says that the kernel is busy, what goes wrong, and that the kernel has gone", () => {
    const { model, find, press, el, end } = shownIn(embedding(), { state: STATE });
    const status = find(".kubeai-embedding-status");
    press("Compare");
    expect(status?.textContent).toBe("");
    vi.advanceTimersByTime(300);
    expect(status?.textContent).toContain("the kernel is busy");
    model.receive({ busy: "Embedding …" });
    expect(status?.textContent).toBe("Embedding …");
    model.receive({ busy: "", problem: "mini was refused." });
    expect(status?.textContent).toBe("mini was refused.");
    expect(status?.classList).toContain("kubeai-embedding-problem");
    model.fire("comm_live_update");
    expect(status?.textContent).toBe("The kernel has gone. Run %load_ext kubeai_notebook and the cells again.");
    expect([...el.querySelectorAll("button")].every((node) => node.disabled)).toBe(true);
    end?.();
    expect(model.listening).toBe(0);
  });
});

it("says that the kernel has gone where a message cannot be sent", () => {
  const { model, find, press, el, end } = shownIn(embedding(), { state: STATE });
  model.shutDown = true;
  press("Compare");
  vi.advanceTimersByTime(60_000);
  expect(find(".kubeai-embedding-status")?.textContent).toBe("The kernel has gone. Run %load_ext kubeai_notebook and the cells again.");
  expect([...el.querySelectorAll("button")].every((node) => node.disabled)).toBe(true);
  end?.();
});

describe("a map without WebGL", () => {
  const NONE = new DataView(new ArrayBuffer(0));
  const traits = () => ({ state: MAP, points: NONE, groups: NONE, places: NONE, selected: NONE });

  it("says so, and has its legend, its search and its rows", () => {
    const { model, el, find, press } = shownIn(map(), traits());
    expect(find(".kubeai-map-none")?.textContent).toContain("This browser has no WebGL");
    expect(find("canvas")).toBeNull();
    expect([...el.querySelectorAll("li")].map((node) => node.textContent)).toEqual(["<b>cats</b> (1)", "dogs (1)"]);
    expect(find("p")?.textContent).toContain("without a point: 1.");
    (find("input") as HTMLInputElement).value = "pets";
    press("Select");
    expect(model.sent).toEqual([{ verb: "search", query: "pets", place: 0 }]);
    model.receive({ selected_count: 2, selected: [{ place: 3, text: "a cat", score: null }] });
    expect(find(".kubeai-map-count")?.textContent).toBe("2 selected. In Python, selection() gives their rows.");
    expect(textsOf(el, ".kubeai-embedding-rows")).toEqual([["Row", "Text"], ["3", "a cat"]]);
    expect(find("caption")?.textContent).toBe("The first selected rows");
    press("Clear");
    expect((model.traits.selected as DataView).byteLength).toBe(0);
    expect(model.saved).toBe(1);
  });
});
