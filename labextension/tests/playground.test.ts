import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AnswerView } from "../widgets/playground_answer";
import type { AnswerLine, ExchangeLine, Text } from "../widgets/playground_types";

const LINE: AnswerLine = { column: 0, model: "smol", state: "streaming", pieces: 0, note: "", calls: [], calls_not_shown: "", calls_id: "", figures: "" };
const EXCHANGE: ExchangeLine = { number: 0, siblings: [0], vote: null, answers: [LINE] };

// A draw costs the time that a test says.
beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function shown() {
  const asked: string[] = [];
  const view = new AnswerView(0, 0, ({ verb, calls_id }) => asked.push(`${verb} ${calls_id ?? ""}`.trim()) > 0);
  const take = (seq: number, text: string, more: Partial<Text> = {}) => {
    view.take({ exchange: 0, column: 0, seq, whole: false, text, reasoning: "", pictures: [], figures: "", ...more });
  };
  const words = () => view.node.querySelector(".kubeai-markdown")?.textContent;
  return { asked, view, take, words };
}

describe("an answer of a playground", () => {
  it("grows piece by piece", () => {
    const { asked, take, words } = shown();
    take(0, "Hel");
    take(1, "lo");
    expect([words(), asked]).toEqual(["Hello", []]);
  });

  it("asks for the whole once where a piece is missing, and goes on behind it", () => {
    const { asked, take, words } = shown();
    take(0, "a");
    take(2, "c");
    take(3, "d");
    expect(asked).toEqual(["text"]);
    take(4, "abcd", { whole: true });
    take(3, "d");
    take(4, "e");
    expect(words()).toBe("abcde");
  });

  it("asks for the whole where the last piece is missing", () => {
    const { asked, view, take } = shown();
    take(0, "a");
    view.show({ ...LINE, state: "done", pieces: 2 }, EXCHANGE, false);
    expect(asked).toEqual(["text"]);
  });

  it("asks for the whole again until it has come, each time after twice as long", () => {
    const { asked, take, words } = shown();
    take(0, "a");
    take(2, "c");
    vi.advanceTimersByTime(14_500);
    expect(asked).toHaveLength(4);
    take(3, "abc", { whole: true });
    vi.runAllTimers();
    expect([words(), asked.length]).toEqual(["abc", 4]);
    take(4, "e");
    expect(asked).toHaveLength(5);
  });

  it("asks for nothing where the kernel has gone, or when it is taken away", () => {
    const gone = vi.fn(() => false);
    const view = new AnswerView(0, 0, gone);
    view.show({ ...LINE, pieces: 2 }, EXCHANGE, false);
    const { asked, view: taken, take } = shown();
    take(1, "b");
    taken.stop();
    vi.runAllTimers();
    expect([gone.mock.calls.length, asked.length]).toEqual([1, 1]);
  });

  it.each([["<think>Hm.</think>Yes."], ["<", "think>H", "m.</th", "ink>Y", "es."]])("folds reasoning", (...pieces) => {
    const { view, take, words } = shown();
    for (const [seq, piece] of pieces.entries()) take(seq, piece);
    expect(words()).toBe("Yes.");
    expect(view.node.querySelector("details div")?.textContent).toBe("Hm.");
  });

  it("draws nothing of before behind the whole", () => {
    const { take, words } = shown();
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (now += 100));
    take(0, "a");
    take(1, "b");
    expect(words()).toBe("a");
    take(3, "abcd", { whole: true });
    vi.runAllTimers();
    expect(words()).toBe("abcd");
  });

  it("asks for no leave to run what it does not show", () => {
    const { view } = shown();
    const call = { name: "f", arguments: "{}" };
    const buttons = () => [...view.node.querySelectorAll("button")].filter((one) => !one.hidden && one.closest("[hidden]") === null);
    view.show({ ...LINE, state: "asking", calls: [call] }, EXCHANGE, true);
    expect(buttons().map((one) => one.textContent)).toEqual(["Run it", "Do not run it"]);
    view.show({ ...LINE, state: "asking", calls: [call], calls_not_shown: "9 more calls are not shown." }, EXCHANGE, true);
    expect(buttons().map((one) => one.textContent)).toEqual(["Do not run it"]);
    expect(view.node.querySelector(".kubeai-playground-calls")?.textContent).toBe("f({})9 more calls are not shown.");
  });

  it("takes no click for a call that nobody can have read yet", () => {
    const { asked, view } = shown();
    const call = { name: "f", arguments: "{}" };
    const run = [...view.node.querySelectorAll("button")].find((one) => one.textContent === "Run it");
    for (const callsId of ["a", "b"]) {
      view.show({ ...LINE, state: "asking", calls: [call], calls_id: callsId }, EXCHANGE, true);
      run?.click();
      vi.runAllTimers();
      run?.click();
    }
    expect(asked).toEqual(["allow a", "allow b"]);
  });

  it("lets nobody vote for what failed", () => {
    const { view } = shown();
    const two = { ...EXCHANGE, answers: [LINE, { ...LINE, column: 1 }] };
    const vote = [...view.node.querySelectorAll("button")].find((one) => one.textContent === "Better");
    const isHidden = (["done", "failed"] as const).map((state) => {
      view.show({ ...LINE, state }, two, false);
      return vote?.hidden;
    });
    expect(isHidden).toEqual([false, true]);
  });

  it("has no button to vote where there is one answer", () => {
    const { view } = shown();
    view.show(LINE, EXCHANGE, false);
    const vote = view.node.querySelector<HTMLElement>("[aria-pressed]");
    expect(vote?.hidden).toBe(true);
  });
});
