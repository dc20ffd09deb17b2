import { afterEach, describe, expect, it, vi } from "vitest";
import trial from "../widgets/trial";
import type { TrialState } from "../widgets/trial_types";
import { shownIn, textsOf } from "./shown_in";

const RANKS: TrialState = {
  model: "ranker",
  kind: "rank",
  code: "model.rerank(…)",
  most_texts: 3,
  most_bytes: 8 << 20,
  query: "",
  ranked: [],
  file: "",
  transcript: "",
  busy: "",
  problem: "",
};
const HEARS: TrialState = { ...RANKS, model: "ears", kind: "transcribe" };

/** A user has chosen it; jsdom's files cannot be read. */
function chosen(input: HTMLElement | null, file: File, bytes: number[] = []): void {
  Object.assign(file, { arrayBuffer: () => Promise.resolve(new Uint8Array(bytes).buffer) });
  Object.defineProperty(input, "files", { value: [file], configurable: true });
}

afterEach(() => {
  document.body.replaceChildren();
});

describe("the trial of a Model that ranks", () => {
  it("sends the question with the lines, and shows them with their scores", () => {
    const { model, el, find, press } = shownIn(trial(), { state: RANKS });
    (find("textarea") as HTMLTextAreaElement).value = "one\n \n<b>two</b>\nthree\n";
    (find("input") as HTMLInputElement).value = "Which?";
    press("Rank");
    expect(model.sent).toEqual([{ verb: "rank", query: "Which?", texts: ["one", "<b>two</b>", "three"], file: "" }]);
    model.receive({ query: "Which?", ranked: [{ place: 1, text: "<b>two</b>", score: 0.987 }] });
    expect(textsOf(el, "table")).toEqual([["Row", "Text", "Score"], ["1", "<b>two</b>", "0.99"]]);
    expect(find("caption")?.textContent).toBe("The best first, for: Which?");
    expect(find("b")).toBeNull();
  });

  it("sends nothing where the lines are more than are taken, and says so", () => {
    const { model, find, press } = shownIn(trial(), { state: RANKS });
    (find("textarea") as HTMLTextAreaElement).value = "one\ntwo\nthree\nfour\nfive";
    press("Rank");
    expect(find("[role=status]")?.textContent).toBe("These are 5 texts, and 3 at most are taken: take 2 out.");
    expect(model.sent).toEqual([]);
  });

  it("shows the code that asks the same", () => {
    expect(shownIn(trial(), { state: RANKS }).find("details pre")?.textContent).toBe("model.rerank(…)");
  });
});

describe("the trial of a Model that hears", () => {
  it("sends the bytes of the file beside its name, and shows what is said", async () => {
    const { model, find, press } = shownIn(trial(), { state: HEARS });
    chosen(find("input"), new File([], "talk.wav"), [1, 2, 3]);
    press("Write it down");
    await vi.waitFor(() => {
      expect(model.sent).toEqual([{ verb: "transcribe", query: "", texts: [], file: "talk.wav" }]);
    });
    expect([...new Uint8Array(model.buffers[0] ?? new ArrayBuffer(0))]).toEqual([1, 2, 3]);
    expect(find(".kubeai-trial-said")?.hidden).toBe(true);
    model.receive({ file: "talk.wav", transcript: "<i>Good</i> morning." });
    expect(find(".kubeai-trial-said")?.textContent).toBe("talk.wav: <i>Good</i> morning.");
    model.receive({ transcript: "" });
    expect(find(".kubeai-trial-said")?.textContent).toBe("ears hears no words in talk.wav.");
  });

  it("sends nothing where no file is chosen, or one that is too large", () => {
    const { model, find, press } = shownIn(trial(), { state: { ...HEARS, most_bytes: 2 << 20 } });
    press("Write it down");
    expect(find("[role=status]")?.textContent).toBe("Choose a recording first.");
    const file = new File([], "day.wav");
    Object.defineProperty(file, "size", { value: (2 << 20) + 1 });
    chosen(find("input"), file);
    press("Write it down");
    expect(find("[role=status]")?.textContent).toBe("day.wav is larger than 2 MiB: transcribe(path) takes it from a cell, as below.");
    expect(model.sent).toEqual([]);
  });
});
