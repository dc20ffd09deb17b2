import { Widget } from "@lumino/widgets";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ModelsPanel } from "../src/sidebar/panel";
import { POLL_MS, SILENT_MS } from "../src/sidebar/stream";
import { speak, trans } from "../shared/translate";
import type { Changes } from "../shared/types";
import { CARD } from "./fake_model";

// The list's rows need sizes, which jsdom does not have: what opens a card is all that is wanted of it here.
vi.hoisted(() => {
  // Lumino reads it as it is imported.
  vi.stubGlobal("DragEvent", MouseEvent);
});
vi.mock("../src/sidebar/list", async () => {
  const lumino = await import("@lumino/widgets");
  return {
    ModelList: class extends lumino.Widget {
      readonly draw = vi.fn();
      readonly focusOn = vi.fn();

      constructor(open: (name: string) => void) {
        super();
        this.addClass("kubeai-sidebar-list");
        this.node.addEventListener("click", () => {
          open("smol");
        });
      }
    },
  };
});

/** What the Jupyter server says at one moment, and what was asked of it. */
let told: Changes;
let sent: { method: string; path: string; values: Record<string, unknown> }[];
let panel: ModelsPanel;
/** How often a stream was asked for, and whether each is refused. */
let streams: number;
let refusing: boolean;
/** Whether the settings want a question before something is deleted. */
let confirms: boolean;
/** Where the server is comes behind this. */
let late: Promise<void> | undefined;

function changes(mark: string, uid = "u-1"): Changes {
  const row = { name: "smol", phase: "Ready", tone: "good", features: "", engine: "VLLM", profile: "cpu:1", problem: "", ready: 1, desired: 1 };
  const card = { ...CARD, verbs: ["scale", "delete"] };
  const link = { link: "live", since_seconds: 0, where: `in default on ${mark}`, mark, notices: [] };
  return { id: `${mark}-1`, reset: true, gone: [], models: [{ row, card, uid }], link } as unknown as Changes;
}

/** A server behind a proxy that lets no stream through, so that its changes are polled. */
function fetcher(path: string, init: RequestInit = {}): Promise<Response> {
  if (path === "stream") {
    streams += 1;
    if (refusing) return Promise.resolve(new Response(JSON.stringify({ notices: [], note: "", diff: [] }), { status: 503 }));
    return new Promise((_resolve, reject) => {
      init.signal?.addEventListener("abort", () => {
        reject(new DOMException("aborted", "AbortError"));
      });
    });
  }
  const [route = "", query = ""] = path.split("?");
  const method = init.method ?? "GET";
  const values = method === "POST" ? (JSON.parse(init.body as string) as Record<string, unknown>) : Object.fromEntries(new URLSearchParams(query));
  if (route === "where" && values.namespace === "nosuchns") {
    const notices = [{ code: "NotFound", message: "There is no namespace nosuchns.", remedy: "" }];
    return Promise.resolve(new Response(JSON.stringify({ notices, note: "", diff: [] }), { status: 404 }));
  }
  if (route === "where" && late) return late.then(() => new Response("{}"));
  if (route.startsWith("models/")) sent.push({ method, path: route, values });
  const answers: Record<string, unknown> = { changes: told, contexts: { names: [] }, where: {} };
  return Promise.resolve(new Response(JSON.stringify(answers[route] ?? { note: "1 Pod goes.", diff: [], notices: [] })));
}

function button(text: string): HTMLButtonElement | undefined {
  return [...panel.node.querySelectorAll("button")].find(({ textContent }) => textContent === text);
}

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  [streams, refusing, confirms, late] = [0, false, true, undefined];
});

afterEach(() => {
  panel.dispose();
  vi.useRealTimers();
});

function open(): void {
  panel = new ModelsPanel({ fetcher, server: "x", hasCommand: () => false, execute: () => undefined, insert: () => "", confirms: () => confirms });
  Widget.attach(panel, document.body);
  panel.follow(true);
}

/** Open the card of smol, as a browser that polls is told of it. */
async function openSmol(): Promise<void> {
  told = changes("staging");
  open();
  await vi.advanceTimersByTimeAsync(2 * SILENT_MS + 500);
  panel.node.querySelector<HTMLElement>(".kubeai-sidebar-list")?.click();
  expect(button(trans.__("‹ All Models"))).toBeDefined();
  sent = [];
}

async function press(text: string): Promise<void> {
  button(text)?.click();
  await vi.advanceTimersByTimeAsync(1);
}

it("sends with each verb the place and the Model that were shown", async () => {
  await openSmol();
  const meant = { where: "staging", uid: "u-1" };
  await press("Delete …");
  await press("Delete smol");
  button("+")?.click();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toEqual([
    { method: "GET", path: "models/smol/stake", values: meant },
    { method: "DELETE", path: "models/smol", values: meant },
    { method: "POST", path: "models/smol/scale", values: { ...meant, replicas: 2 } },
  ]);
});

it("deletes without a question as soon as the settings want none, and asks again as soon as they want one", async () => {
  await openSmol();
  confirms = false;
  panel.later();
  await vi.advanceTimersByTimeAsync(100);
  expect(button("Delete …")).toBeUndefined();
  await press("Delete");
  expect(sent.map(({ method, path }) => `${method} ${path}`)).toEqual(["GET models/smol/stake", "DELETE models/smol"]);
  confirms = true;
  panel.later();
  await vi.advanceTimersByTimeAsync(100);
  await press("Delete …");
  expect(sent.map(({ method }) => method)).toEqual(["GET", "DELETE", "GET"]);
  expect(button("Delete smol")).toBeDefined();
});

it("drops the card, its question and presses that settle when another tab has switched the place", async () => {
  await openSmol();
  await press("Delete …");
  expect(button("Delete smol")).toBeDefined();
  told = changes("prod");
  await vi.advanceTimersByTimeAsync(POLL_MS - 600);
  button("+")?.click();
  await vi.advanceTimersByTimeAsync(2 * POLL_MS);
  expect([button("‹ All Models"), button("Delete smol")]).toEqual([undefined, undefined]);
  expect(sent.map(({ path }) => path)).toEqual(["models/smol/stake"]);
});

it("asks anew about a Model that was made anew", async () => {
  await openSmol();
  await press("Delete …");
  told = changes("staging", "u-2");
  await vi.advanceTimersByTimeAsync(2 * POLL_MS);
  expect([button("‹ All Models"), button("Delete smol")]).toEqual([expect.anything(), undefined]);
  await press("Delete …");
  expect(sent.at(-1)?.values).toEqual({ where: "staging", uid: "u-2" });
});

it("leaves the focus where it is outside of the card that it drops", async () => {
  await openSmol();
  const cell = document.body.appendChild(document.createElement("textarea"));
  cell.focus();
  told = changes("prod");
  await vi.advanceTimersByTimeAsync(2 * POLL_MS);
  expect(button("‹ All Models")).toBeUndefined();
  expect(document.activeElement).toBe(cell);
  cell.remove();
});

it("asks at once for the Models of a place that was switched to while the last one could not be reached", async () => {
  refusing = true;
  open();
  await vi.advanceTimersByTimeAsync(40_000);
  const before = streams;
  panel.node.querySelector("form")?.requestSubmit();
  await vi.advanceTimersByTimeAsync(10);
  expect(streams).toBe(before + 1);
});

it.each([
  ["another place is typed", (namespace: HTMLInputElement) => {
    namespace.value = "default";
    namespace.dispatchEvent(new Event("input", { bubbles: true }));
  }],
  ["the place is folded", (namespace: HTMLInputElement) => {
    namespace.closest("details")?.dispatchEvent(new Event("toggle"));
  }],
  ["another tab has switched", () => {
    told = changes("prod");
  }],
])("says no more that a place was refused once %s", async (_what, happens) => {
  told = changes("staging");
  open();
  await vi.advanceTimersByTimeAsync(2 * SILENT_MS + 500);
  const namespace = await refusedAt("nosuchns");
  happens(namespace);
  await vi.advanceTimersByTimeAsync(2 * POLL_MS);
  expect(placeStatus()).toBe("");
});

it("goes on saying that a place was refused when an older answer tells where it is", async () => {
  let come = (): void => undefined;
  late = new Promise((resolve) => {
    come = resolve;
  });
  told = changes("staging");
  open();
  await vi.advanceTimersByTimeAsync(2 * SILENT_MS + 500);
  await refusedAt("nosuchns");
  come();
  await vi.advanceTimersByTimeAsync(2 * POLL_MS);
  expect(placeStatus()).toBe("There is no namespace nosuchns.");
});

function placeStatus(): string | null | undefined {
  return panel.node.querySelector(".kubeai-sidebar-place [role=status]")?.textContent;
}

/** The field of the namespace, after a switch to this one was refused. */
async function refusedAt(wanted: string): Promise<HTMLInputElement> {
  const namespace = panel.node.querySelector<HTMLInputElement>("form input");
  if (namespace === null) throw new Error("There is no field.");
  namespace.value = wanted;
  namespace.form?.requestSubmit();
  await vi.advanceTimersByTimeAsync(2 * POLL_MS);
  expect(placeStatus()).toBe(`There is no namespace ${wanted}.`);
  return namespace;
}

it("gives the focus to the way back when the Model that was deleted is gone", async () => {
  await openSmol();
  button("Delete …")?.focus();
  await press("Delete …");
  await press("Delete smol");
  told = { ...changes("staging"), models: [] };
  await vi.advanceTimersByTimeAsync(2 * POLL_MS);
  expect(document.activeElement).toBe(button("‹ All Models"));
});

/** What is seen of the panel, or read out. */
function textsOf(node: Node): string[] {
  const own = node instanceof Element ? ["aria-label", "placeholder", "title"].map((name) => node.getAttribute(name) ?? "") : [];
  if (node instanceof Text) own.push(node.data.trim());
  return [...own.filter(Boolean), ...[...node.childNodes].flatMap(textsOf)];
}

it("has every word translated that does not come from the server", async () => {
  const english = trans;
  speak({
    __: (text, ...values) => `«${english.__(text, ...values)}»`,
    _n: (one, many, count, ...values) => `«${english._n(one, many, count, ...values)}»`,
  });
  try {
    await openSmol();
    await press("«Delete …»");
    await press("«Copy YAML»");
  } finally {
    speak(english);
  }
  const ofTheServer = JSON.stringify(told);
  const texts = textsOf(panel.node).filter((text) => /[a-z]{2}/i.test(text));
  expect(texts.filter((text) => text.startsWith("«")).length).toBeGreaterThan(40);
  const others = texts.filter((text) => !text.startsWith("«") && !ofTheServer.includes(text) && !/^(%|KubeAI )/.test(text));
  expect(others).toEqual([]);
});
