import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import statusCard from "../widgets/status_card";
import type { Card, CardRemedy } from "../shared/types";
import { CARD, FakeModel } from "./fake_model";

const NOW = 1_800_000_000;
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW * 1000 });
});

afterEach(() => {
  stop();
  document.body.replaceChildren();
  vi.useRealTimers();
});

function shown(change: Partial<Card> = {}): { model: FakeModel; el: HTMLElement; text: (name: string) => string } {
  const model = new FakeModel({ ...CARD, ...change });
  const el = document.body.appendChild(document.createElement("div"));
  const widget = statusCard();
  const forget = widget.initialize({ model: model.as });
  const remove = widget.render({ model: model.as, el });
  stop = () => {
    remove?.();
    forget?.();
  };
  return { model, el, text: (name) => node(el, name).textContent };
}

function node(el: HTMLElement, name: string): HTMLElement {
  const found = el.querySelector<HTMLElement>(`.kubeai-card-${name}`);
  if (found === null) throw new Error(`no .kubeai-card-${name}`);
  return found;
}

function remedy(number: number, title: string, how = ""): CardRemedy {
  return { id: `id${String(number)}`, number, title, kind: how === "" ? "advice" : "change", how };
}

describe("the status card", () => {
  it("shows name, phase, sentence and facts", () => {
    const { el, text } = shown();
    expect(text("name")).toBe("smol");
    expect(text("word")).toBe("Loading");
    expect(text("detail")).toBe("Starting llama.cpp.");
    expect([...el.querySelectorAll("dt, dd")].map((part) => part.textContent)).toEqual([
      "Replicas",
      "0 of 1 ready",
      "Source",
      "ollama://smollm2:135m",
    ]);
  });

  it("counts the seconds of a phase by itself, and stops when it is removed", () => {
    const { model, text } = shown({ phase_since_seconds: NOW - 37 });
    expect(text("elapsed")).toBe("37 s");
    vi.advanceTimersByTime(1000);
    expect(text("elapsed")).toBe("38 s");
    stop();
    expect(vi.getTimerCount()).toBe(0);
    expect(model.listening).toBe(0);
  });

  it.each([
    [59, "59 s"],
    [252, "4 min 12 s"],
    [7_500, "2 h 5 min"],
    [273_600, "3 d 4 h"],
    [-5, "0 s"],
  ])("writes %d seconds as %s", (seconds, words) => {
    expect(shown({ phase_since_seconds: NOW - seconds }).text("elapsed")).toBe(words);
  });

  it("has a progress bar only while progress is measured", () => {
    const { model, el, text } = shown({ phase: "Pulling", progress: 0.44 });
    expect(text("percent")).toBe("44 %");
    expect(node(el, "bar").getAttribute("aria-valuenow")).toBe("44");
    model.receive({ progress: null });
    expect(node(el, "progress").hidden).toBe(true);
  });

  it.each([3600, -3600])("counts by the kernel's clock where the reader's is %d seconds off", (off) => {
    vi.setSystemTime((NOW + off) * 1000);
    const { model, text } = shown({ phase_since_seconds: NOW - 5 });
    vi.advanceTimersByTime(2000);
    expect(text("elapsed")).toBe("7 s");
    model.receive({ phase_since_seconds: NOW + 1, sent_at_seconds: NOW + 2 });
    expect(text("elapsed")).toBe("1 s");
  });

  it("shows the same seconds wherever it is shown again", () => {
    const model = new FakeModel({ ...CARD, phase_since_seconds: NOW });
    const widget = statusCard();
    widget.initialize({ model: model.as });
    vi.advanceTimersByTime(60_000);
    const el = document.body.appendChild(document.createElement("div"));
    stop = widget.render({ model: model.as, el }) ?? stop;
    expect(node(el, "elapsed").textContent).toBe("1 min 0 s");
  });

  it("shows findings with numbered fixes, and never as markup", () => {
    const message = "<img src=x onerror=alert(1)>";
    const remedies = [remedy(1, "One."), remedy(2, "Two.", "%kubeai_why smol --fix 2")];
    const { el } = shown({ findings: [{ code: "X", message, evidence: "exit 137", remedies }] });
    expect(el.querySelector("h4")?.textContent).toBe(message);
    expect(el.querySelector("img")).toBeNull();
    expect(el.querySelector("pre")?.textContent).toBe("exit 137");
    expect([...el.querySelectorAll("ol > li")].map((fix) => fix.textContent)).toEqual([
      "One.",
      "Two. %kubeai_why smol --fix 2 Copy",
    ]);
  });

  it("takes the numbers of fixes from the card", () => {
    const finding = { code: "X", message: "One", evidence: "", remedies: [remedy(1, "A."), remedy(2, "B.")] };
    const { el } = shown({ findings: [finding, { ...finding, message: "Two", remedies: [remedy(3, "C.")] }] });
    expect([...el.querySelectorAll("li")].map((item) => item.value)).toEqual([1, 2, 3]);
  });

  it("says a phase politely, and trouble at once", () => {
    const { model, el } = shown();
    const polite = el.querySelector("[role=status]");
    const urgent = el.querySelector("[role=alert]");
    expect([polite?.textContent, urgent?.textContent]).toEqual(["Model smol is Loading.", ""]);
    model.receive({ phase: "Failing", tone: "bad", announcement: "Model smol is Failing." });
    expect([polite?.textContent, urgent?.textContent]).toEqual(["", "Model smol is Failing."]);
  });

  it("says first since when it is not connected", () => {
    const { model, el, text } = shown({ link: "reconnecting", link_since_seconds: NOW - 12 });
    const since = new Date((NOW - 12) * 1000).toLocaleTimeString();
    expect(text("link")).toBe(`Not connected since ${since}. What follows is as it was then.`);
    expect(el.querySelector("header")?.nextElementSibling).toBe(node(el, "link"));
    model.receive({ link: "live" });
    expect(node(el, "link").hidden).toBe(true);
  });

  it("stops counting when the kernel has gone", () => {
    const { model, text } = shown({ phase_since_seconds: NOW - 5 });
    model.fire("comm_live_update");
    vi.advanceTimersByTime(5000);
    expect(text("elapsed")).toBe("5 s");
    expect(text("link")).toContain("Run the cell again");
  });

  it("says within a second that its kernel was shut down, also where nothing is asked of it", () => {
    const { model, text } = shown({ phase_since_seconds: NOW - 5 });
    vi.advanceTimersByTime(2000);
    expect(text("elapsed")).toBe("7 s");
    model.widget_manager.kernel = null;
    vi.advanceTimersByTime(5000);
    expect(text("elapsed")).toBe("7 s");
    expect(text("link")).toContain("Run the cell again");
  });

  it("stops counting when its Session was closed", () => {
    const { model, text } = shown({ phase_since_seconds: NOW - 5 });
    model.receive({ link: "closed" });
    vi.advanceTimersByTime(5000);
    expect(text("elapsed")).toBe("5 s");
    expect(text("link")).toContain("Run the cell again");
  });

  it("has no room for what is not said", () => {
    const { model, el } = shown({ phase: "Deleted", tone: "gone", detail: "", facts: [] });
    for (const name of ["detail", "next", "note", "progress", "findings", "facts", "link"]) {
      expect(node(el, name).hidden, name).toBe(true);
    }
    model.receive({ facts: CARD.facts });
    expect(node(el, "facts").hidden).toBe(false);
  });

  it.each(["note", "next_step"] as const)("repeats the %s", (field) => {
    expect(shown({ [field]: "A sentence." }).el.textContent).toContain("A sentence.");
  });
});
