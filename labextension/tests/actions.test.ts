import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SILENCE_MS } from "../shared/ask";
import { LOOKS_MS } from "../widgets/details";
import { RECONNECTS } from "../widgets/reconnect";
import statusCard from "../widgets/status_card";
import type { Card, CardFinding, NoticeLine } from "../shared/types";
import { CARD, FakeModel } from "./fake_model";

const HOUR_MS = 3_600_000;
const FINDING: CardFinding = {
  code: "X",
  message: "The profile is unknown.",
  evidence: "",
  remedies: [
    { id: "0123456789", number: 1, title: "Write cpu:1.", kind: "change", how: "%kubeai_why smol --fix 1" },
    { id: "1123456789", number: 2, title: "Look.", kind: "command", how: "!kubectl get nodes" },
  ],
};

const seen = vi.fn(() => true);
// jsdom lays nothing out, and so does not know what can be seen.
HTMLElement.prototype.checkVisibility = seen;

beforeEach(() => {
  seen.mockReturnValue(true);
  vi.useFakeTimers();
});

afterEach(() => {
  document.body.replaceChildren();
  document.body.className = "";
  vi.useRealTimers();
});

function shown(change: Partial<Card> = {}) {
  const model = new FakeModel({ ...CARD, verbs: ["scale", "pause", "restart", "delete"], ...change });
  const el = document.body.appendChild(document.createElement("div"));
  const signal = new AbortController();
  statusCard().render({ model: model.as, el, signal: signal.signal });
  const part = (name: string): HTMLElement => {
    const node = el.querySelector<HTMLElement>(`.kubeai-card-${name}, .kubeai-${name}`);
    if (node === null) throw new Error(`no ${name}`);
    return node;
  };
  const press = (text: string): void => {
    const node = [...el.querySelectorAll("button")].find((one) => one.textContent === text && !one.disabled);
    if (node === undefined) throw new Error(`no button ${text}`);
    node.focus();
    node.click();
  };
  return { model, el, part, press, end: signal };
}

function notice(code: string, message: string): NoticeLine {
  return { code, severity: "error", field: "", message, remedy: "" };
}

describe("the buttons of a card", () => {
  it("show what can be done now", () => {
    const { el, model } = shown();
    const names = () =>
      [...el.querySelectorAll<HTMLElement>(".kubeai-card-actions button")]
        .filter((one) => !one.hidden && one.closest("[hidden]") === null)
        .map((one) => one.textContent);
    expect(names()).toEqual(["−", "+", "Pause", "Restart", "Delete …"]);
    model.receive({ verbs: ["resume", "delete"] });
    expect(names()).toEqual(["Resume", "Delete …"]);
    model.receive({ playground: true });
    expect(names()).toEqual(["Playground", "Resume", "Delete …"]);
    model.receive({ verbs: [] });
    expect(names()).toEqual([]);
  });

  it("hand the focus on where the one that has it goes", () => {
    const { model, press } = shown();
    press("Pause");
    model.receive({ verbs: ["resume", "delete"] });
    expect(document.activeElement?.textContent).toBe("Resume");
  });

  it("show the playground, and say where it is", () => {
    const { model, part, press } = shown({ playground: true });
    press("Playground");
    expect(model.sent.map(({ verb }) => verb)).toEqual(["show"]);
    model.answer("show", { note: "The playground of smol is below the card." });
    expect(part("outcome").textContent).toBe("The playground of smol is below the card.");
  });

  it("delete only after a question that says what goes, and that stays until it is answered", () => {
    const { model, part, press } = shown();
    press("Delete …");
    expect(model.sent.map(({ verb, dry_run }) => [verb, dry_run])).toEqual([["delete", true]]);
    model.answer("delete", { note: "With it goes 1 Pod on cpu:1." });
    expect(part("question").textContent).toBe("Really delete smol? With it goes 1 Pod on cpu:1.");
    expect(document.activeElement?.textContent).toBe("Keep as it is");
    vi.advanceTimersByTime(HOUR_MS);
    expect(part("panel").hidden).toBe(false);
    press("Keep as it is");
    expect([part("panel").hidden, document.activeElement?.textContent]).toEqual([true, "Delete …"]);
    press("Delete …");
    model.answer("delete", {});
    press("Delete smol");
    expect(model.sent.at(-1)).toMatchObject({ verb: "delete", dry_run: false, yes: false });
    model.answer("delete", { note: "smol is deleted." });
    expect(part("outcome").textContent).toBe("smol is deleted.");
  });

  it("send one request for several presses of + and −", () => {
    const { model, part, press } = shown({ replicas: 1 });
    press("+");
    press("+");
    expect([part("count").textContent, model.sent.length]).toEqual(["3", 0]);
    vi.advanceTimersByTime(1000);
    expect(model.sent.map(({ verb, replicas }) => [verb, replicas])).toEqual([["scale", 3]]);
    model.answer("scale", { state: "failed", notices: [notice("SpecError", "There is room for 1.")] });
    expect([part("count").textContent, part("outcome").textContent]).toEqual(["1", "There is room for 1."]);
  });

  it("offer to take back that a Model sleeps", () => {
    const { model, press } = shown({ replicas: 1 });
    press("−");
    vi.advanceTimersByTime(1000);
    model.answer("scale", { note: "smol goes to sleep." });
    press("Undo");
    expect(model.sent.at(-1)).toMatchObject({ verb: "scale", replicas: 1 });
  });

  it("say that the kernel is busy when it is silent", () => {
    const { model, part, press } = shown();
    press("Pause");
    vi.advanceTimersByTime(SILENCE_MS);
    expect(part("outcome").textContent).toContain("the kernel is busy");
    model.answer("pause", { state: "doing" });
    expect(part("outcome").textContent).toBe("Working …");
    model.answer("pause", { note: "smol is paused." });
    expect(part("outcome").textContent).toBe("smol is paused.");
  });

  it("ask again before they change what somebody else served", () => {
    const { model, part, press } = shown();
    press("Pause");
    const theirs = notice("NotYoursError", "smol was served by bob.");
    model.answer("pause", { state: "failed", notices: [theirs] });
    expect(part("question").textContent).toBe("smol was served by bob.");
    press("Do it all the same");
    expect(model.sent.at(-1)).toMatchObject({ verb: "pause", yes: true });
  });

  it("are pressed once only while they wait, and keep the focus", () => {
    const { el, model, press } = shown();
    document.body.append(el);
    const pause = [...el.querySelectorAll("button")].find((one) => one.textContent === "Pause");
    pause?.focus();
    press("Pause");
    press("Pause");
    expect(model.sent.length).toBe(1);
    expect(document.activeElement).toBe(pause);
    model.answer("pause", { state: "done" });
    press("Pause");
    expect(model.sent.length).toBe(2);
    el.remove();
  });
});

describe("a Model that is made anew under the name of the one that is shown", () => {
  it("is not what is pressed for: each verb says which one is meant", () => {
    const { model, press } = shown({ findings: [FINDING], playground: true });
    for (const [text, verb] of [
      ["Pause", "pause"],
      ["Restart", "restart"],
      ["Playground", "show"],
      ["Show the change", "fix"],
      ["+", "scale"],
      ["Delete …", "delete"],
    ] as const) {
      press(text);
      vi.advanceTimersByTime(1000);
      expect(model.sent.at(-1)).toMatchObject({ verb, uid: "a" });
      model.answer(verb, {});
    }
    press("Delete smol");
    expect(model.sent.at(-1)).toMatchObject({ verb: "delete", dry_run: false, uid: "a" });
  });

  it("takes back what was asked, presses that settle, and Undo", () => {
    const { el, model, part, press } = shown({ replicas: 1 });
    press("−");
    vi.advanceTimersByTime(1000);
    model.answer("scale", {});
    press("Delete …");
    model.answer("delete", { note: "With it goes 1 Pod." });
    press("+");
    const before = model.sent.length;
    model.receive({ uid: "b" });
    vi.advanceTimersByTime(1000);
    expect([part("panel").hidden, part("count").textContent, model.sent.length]).toEqual([true, "1", before]);
    const undo = [...el.querySelectorAll("button")].find((one) => one.textContent === "Undo");
    expect(undo?.hidden).toBe(true);
  });

  it("is asked nothing by an answer that comes late", () => {
    const { model, part, press } = shown({ findings: [FINDING], replicas: 1 });
    const hidden = () => [...document.querySelectorAll("button")].find((one) => one.textContent === "Undo")?.hidden;
    press("Delete …");
    press("Show the change");
    press("−");
    vi.advanceTimersByTime(1000);
    model.receive({ uid: "b" });
    model.answer("delete", { note: "With it goes 1 Pod." });
    model.answer("fix", { diff: ["a → b"] });
    model.answer("scale", {});
    expect([part("panel").hidden, hidden()]).toEqual([true, true]);
  });

  it("is shown no fix of the one before", () => {
    const { model, part, press } = shown({ findings: [FINDING] });
    press("Show the change");
    model.answer("fix", { diff: ["a → b"], resource_version: "7" });
    press("Apply");
    const before = model.sent.length;
    model.receive({ uid: "b" });
    model.answer("fix", { state: "failed", notices: [notice("ConflictError", "Another Model has its name now.")] });
    expect([model.sent.length, part("outcome").textContent]).toEqual([before, "Another Model has its name now."]);
  });
});

describe("a fix", () => {
  it("shows its change first, and is applied on the Model that it was shown for", () => {
    const { model, part, press } = shown({ findings: [FINDING] });
    press("Show the change");
    expect(model.sent.at(-1)).toMatchObject({ verb: "fix", remedy_id: "0123456789", dry_run: true });
    const diff = ["resourceProfile: cpus:1 → cpu:1"];
    model.answer("fix", { note: "Its Pods are replaced.", diff, resource_version: "7" });
    expect(part("diff").textContent).toBe(diff[0]);
    press("Apply");
    expect(model.sent.at(-1)).toMatchObject({ remedy_id: "0123456789", dry_run: false, resource_version: "7" });
    model.answer("fix", { note: "smol is changed." });
    expect(part("outcome").textContent).toBe("smol is changed.");
  });

  it("shows the new change where the Model was changed since", () => {
    const { model, part, press } = shown({ findings: [FINDING] });
    press("Show the change");
    model.answer("fix", { note: "Would change.", diff: ["a → b"], resource_version: "7" });
    press("Apply");
    model.answer("fix", { state: "failed", notices: [notice("ConflictError", "smol was changed since.")] });
    expect(model.sent.at(-1)).toMatchObject({ verb: "fix", dry_run: true });
    model.answer("fix", { note: "Would change.", diff: ["c → b"], resource_version: "8" });
    expect(part("question").textContent).toBe("smol was changed since. Would change.");
    expect(part("diff").textContent).toBe("c → b");
  });

  it("keeps its question while the findings change", () => {
    const { model, part, press } = shown({ findings: [FINDING] });
    press("Show the change");
    model.answer("fix", { diff: ["a → b"] });
    model.receive({ findings: [{ ...FINDING, evidence: "more" }] });
    expect(part("diff").textContent).toBe("a → b");
  });

  it("that is a command is a line to copy", () => {
    const { el } = shown({ findings: [FINDING] });
    expect(el.querySelector(".kubeai-copy code")?.textContent).toBe("!kubectl get nodes");
  });
});

/** Unfold the details; jsdom says so a moment later. */
function unfold(el: HTMLElement): HTMLDetailsElement {
  const details = el.querySelector("details") ?? document.createElement("details");
  details.open = true;
  vi.advanceTimersByTime(0);
  return details;
}

describe("the details of a card", () => {
  it("are asked for only while they are open", () => {
    const { el, model, part } = shown();
    vi.advanceTimersByTime(60_000);
    expect(model.sent).toEqual([]);
    const details = unfold(el);
    expect(model.sent.length).toBe(1);
    const found = { events: [{ at_seconds: 0, text: "Pulled: <b>it</b>" }], log: "line", pod: "p", problem: "" };
    model.answer("look", { details: found });
    expect([part("events").textContent, part("log").textContent]).toEqual([" Pulled: <b>it</b>", "line"]);
    vi.advanceTimersByTime(LOOKS_MS);
    expect(model.sent.length).toBe(2);
    model.answer("look", { details: { ...found, log: "", pod: "", problem: "It has no Pod." } });
    expect(el.textContent).toContain("It has no Pod.");
    seen.mockReturnValue(false);
    vi.advanceTimersByTime(60_000);
    expect(model.sent.length).toBe(2);
    seen.mockReturnValue(true);
    vi.advanceTimersByTime(LOOKS_MS);
    expect(model.sent.length).toBe(3);
    model.answer("look", { details: found });
    details.open = false;
    vi.advanceTimersByTime(60_000);
    expect(model.sent.length).toBe(3);
  });
});

describe("what only reads", () => {
  it("is asked again, by an id of its own, where no answer comes, and answers once", () => {
    const { el, model, part } = shown();
    unfold(el);
    vi.advanceTimersByTime(1_999);
    expect(model.sent.length).toBe(1);
    vi.advanceTimersByTime(1);
    const [first, second] = model.sent.map(({ id }) => id);
    expect([model.sent.length, first === second]).toEqual([2, false]);
    const found = { events: [], log: "new", pod: "p", problem: "" };
    model.answer("look", { details: found });
    model.answer("look", { id: first ?? "", details: { ...found, log: "old" } });
    expect(part("log").textContent).toBe("new");
    vi.advanceTimersByTime(LOOKS_MS - 1);
    expect(model.sent.length).toBe(2);
  });
});

describe("what changes a Model", () => {
  it("is sent once", () => {
    const { model, press } = shown();
    press("Pause");
    vi.advanceTimersByTime(60_000);
    expect(model.sent.map(({ verb }) => verb)).toEqual(["pause"]);
  });
});

describe("a card whose kernel was shut down", () => {
  it("is no longer followed as soon as it asks again by itself, and asks no more", () => {
    const { el, model, part } = shown();
    const details = unfold(el);
    model.answer("look", { details: { events: [], log: "line", pod: "p", problem: "" } });
    model.shutDown = true;
    vi.advanceTimersByTime(LOOKS_MS);
    expect(part("link").textContent).toContain("No longer followed");
    expect([part("actions").hidden, details.hidden]).toEqual([true, true]);
    vi.advanceTimersByTime(60_000);
    expect(el.textContent).not.toContain("Queued");
  });

  it("says so at the press of a button", () => {
    const { model, part, press } = shown();
    model.shutDown = true;
    press("Pause");
    vi.advanceTimersByTime(60_000);
    expect(part("link").textContent).toContain("No longer followed");
    expect(part("outcome").textContent).toBe("");
  });
});

describe("a page that is hidden", () => {
  it("asks nothing of the kernel, and goes on when it is seen again", () => {
    const hidden = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    const { el, model } = shown({ phase: "Ready" });
    unfold(el);
    vi.advanceTimersByTime(10 * 60_000);
    expect(model.sent).toEqual([]);
    hidden.mockRestore();
    vi.advanceTimersByTime(60_000);
    expect(new Set(model.sent.map(({ verb }) => verb))).toEqual(new Set(["look", "idle"]));
  });
});

describe("a card", () => {
  it("shows the steps of a start with their seconds", () => {
    const now = Date.now() / 1000;
    const { el } = shown({
      phase_since_seconds: now - 38,
      sent_at_seconds: now,
      steps: [
        { phase: "Pulling", state: "over", seconds: 12, last_seconds: null },
        { phase: "Loading", state: "now", seconds: null, last_seconds: 41 },
        { phase: "Ready", state: "next", seconds: null, last_seconds: null },
      ],
    });
    const steps = [...el.querySelectorAll(".kubeai-card-steps li")].map((step) => step.textContent);
    expect(steps).toEqual(["✓Pulling12 s", "●Loading38 s, last time 41 s", "○Ready"]);
    expect(el.querySelector("[aria-current=step]")?.textContent).toContain("Loading");
  });

  it("asks for how long nobody used it, and says so", () => {
    const { model, part } = shown({ phase: "Ready" });
    vi.advanceTimersByTime(60_000);
    model.answer("idle", { note: "47 min on 1 Pod of l4:1" });
    expect(part("idle").textContent).toBe("Idle for 47 min on 1 Pod of l4:1");
    model.receive({ phase: "Asleep" });
    expect(part("idle").hidden).toBe(true);
  });

  it("ends with anywidget's signal", () => {
    const { model, end: ended } = shown();
    ended.abort();
    expect([model.listening, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it("offers to reconnect where JupyterLab hears it, and else the lines to run", () => {
    const without = shown();
    without.model.fire("comm_live_update");
    expect([...without.part("reconnect").querySelectorAll("code")].map((line) => line.textContent)).toEqual([
      "%load_ext kubeai_notebook",
      "%kubeai_attach smol -n default",
    ]);
    document.body.classList.add(RECONNECTS);
    const heard: unknown[] = [];
    document.body.addEventListener("kubeai:reconnect", (event) => heard.push((event as CustomEvent).detail), {
      once: true,
    });
    const there = shown();
    there.model.fire("comm_live_update");
    there.press("Reconnect");
    expect(heard).toEqual([{ name: "smol", namespace: "default" }]);
    expect(there.part("actions").hidden).toBe(true);
  });
});
