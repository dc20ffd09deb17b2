import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Paced } from "../widgets/paced";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A text that is drawn at this cost, and what was drawn at each time. */
function pacedAt(costMs: number) {
  const drawn: string[] = [];
  const paced = new Paced((text) => {
    drawn.push(text);
    vi.advanceTimersByTime(costMs);
  });
  return { paced, drawn };
}

it("draws at once what costs nothing", () => {
  const { paced, drawn } = pacedAt(0);
  for (const text of "abc") paced.add(text);
  expect(drawn).toEqual(["a", "b", "c"]);
});

it("rests four times as long as a draw took, and draws the last piece too", () => {
  const { paced, drawn } = pacedAt(100);
  paced.add("a");
  for (const text of "bcdefgh") {
    vi.advanceTimersByTime(50);
    paced.add(text);
  }
  expect(drawn).toEqual(["a"]);
  vi.advanceTimersByTime(50);
  expect(drawn).toEqual(["a", "bcdefgh"]);
  paced.add("i");
  vi.runAllTimers();
  expect(drawn).toEqual(["a", "bcdefgh", "i"]);
});

it("draws nothing of what waits once it was stopped", () => {
  const { paced, drawn } = pacedAt(100);
  paced.add("a");
  paced.add("b");
  paced.stop();
  vi.runAllTimers();
  expect(drawn).toEqual(["a"]);
});
