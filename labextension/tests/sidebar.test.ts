import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Refusal, type Fetcher } from "../src/request";
import { share } from "../src/sidebar/browser_stream";
import { grouped, Store, type News } from "../src/sidebar/store";
import { joined, listen, newsOf, POLL_MS, SILENT_MS } from "../src/sidebar/stream";
import type { LinkState, ModelChange } from "../shared/types";

const LIVE = { link: "live", since_seconds: 0, where: "in default on x", notices: [] } as unknown as LinkState;
const CLOSED = { ...LIVE, link: "closed" } as unknown as LinkState;
const NOTICE = { code: "ForbiddenError", severity: "error", field: "", message: "You may not list Models.", remedy: "Ask." };

function change(name: string, phase = "Ready", tone = "good", features = "TextGeneration"): ModelChange {
  const row = { name, phase, tone, features, engine: "VLLM", profile: "cpu:1", problem: "", ready: 1, desired: 1 };
  return { row, card: {} } as unknown as ModelChange;
}

function event(kind: string, data: unknown, id = ""): string {
  return `event: ${kind}\n${id === "" ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** An answer that stays open after its pieces, as a stream does, or ends there. */
function streamOf(pieces: readonly string[], { ends = false, signal }: { ends?: boolean; signal?: AbortSignal | null } = {}): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(encoder.encode(piece));
      if (ends) controller.close();
      signal?.addEventListener("abort", () => {
        if (!ends) controller.error(new DOMException("aborted", "AbortError"));
      });
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", date: "Sun, 29 Nov 2026 10:00:00 GMT" } });
}

function problem(status: number): Response {
  return new Response(JSON.stringify({ notices: [NOTICE], note: "", diff: [] }), { status });
}

let over: AbortController;

beforeEach(() => {
  vi.useFakeTimers();
  over = new AbortController();
});

afterEach(() => {
  over.abort();
  vi.useRealTimers();
});

it("shows a list that begins anew only when it is whole", () => {
  const store = new Store(() => undefined);
  store.take({ reset: true, models: [change("old")], link: LIVE });
  store.take({ reset: true });
  store.take({ id: "b-1", models: [change("new")] });
  expect([...store.models.keys()]).toEqual(["old"]);
  expect(store.whole()).toBeUndefined();
  store.take({ link: LIVE });
  expect([...store.models.keys()]).toEqual(["new"]);
  expect(store.whole()).toMatchObject({ reset: true, id: "b-1", link: LIVE });
});

it("forgets a Model that is gone and goes on from the newest id", () => {
  const store = new Store(() => undefined);
  store.take({ reset: true, models: [change("a"), change("b")], link: LIVE, id: "m-2" });
  store.take({ gone: ["a"], id: "m-3" });
  expect([[...store.models.keys()], store.id]).toEqual([["b"], "m-3"]);
});

it("groups Models by phase, first those that need somebody, and searches and filters them", () => {
  const models = [change("b"), change("a"), change("c", "Failing", "bad", "TextEmbedding, Reranking")];
  const shape = (search: string, feature: string) =>
    grouped(models, search, feature).map((group) => [group.phase, group.models.map(({ row }) => row.name)]);
  expect(shape("", "")).toEqual([["Failing", ["c"]], ["Ready", ["a", "b"]]]);
  expect(shape("vllm  READY a", "")).toEqual([["Ready", ["a", "b"]]]);
  expect(shape("", "Reranking")).toEqual([["Failing", ["c"]]]);
});

it("reads events, and leaves heartbeats and what it does not know", () => {
  const text = `retry: 2000\n\n: heartbeat\n\n${event("reset", {})}${event("model", change("a"), "m-1")}${event("gone", { name: "b" }, "m-2")}`;
  expect(newsOf(`${text}${event("link", LIVE)}${event("other", {})}`)).toEqual([
    { reset: true },
    { id: "m-1", models: [change("a")] },
    { id: "m-2", gone: ["b"] },
    { link: LIVE },
  ]);
});

it("joins what came at once, and keeps the order of a change and an end", () => {
  const [a, b] = [change("a"), change("b")];
  const pieces = [{ id: "1", models: [a] }, { id: "2", models: [b] }, { id: "3", gone: ["a"] }, { id: "4", models: [a] }];
  expect(joined(pieces)).toEqual([{ id: "2", models: [a, b] }, { id: "3", gone: ["a"] }, { id: "4", models: [a] }]);
});

it("goes on from the last id after a stream has ended", async () => {
  const asked: (string | undefined)[] = [];
  const store = new Store(() => undefined);
  const fetcher: Fetcher = (_path, init = {}) => {
    asked.push((init.headers as Record<string, string>)["Last-Event-ID"]);
    const first = [event("reset", {}), event("model", change("a"), "m-1"), event("link", CLOSED)];
    return Promise.resolve(asked.length === 1 ? streamOf(first, { ends: true }) : streamOf([event("model", change("b"), "m-2")], init));
  };
  void listen(fetcher, () => store.id, (news) => { news.forEach((piece) => { store.take(piece); }); }, over.signal);
  await vi.advanceTimersByTimeAsync(0);
  expect(store.link?.link).toBe("closed");
  await vi.advanceTimersByTimeAsync(1_500);
  expect(asked).toEqual([undefined, "m-1"]);
  expect([...store.models.keys()]).toEqual(["a", "b"]);
});

it("puts an event together that came in pieces", async () => {
  const told: News[] = [];
  const text = event("model", change("a"), "m-1");
  const fetcher: Fetcher = (_path, init = {}) => Promise.resolve(streamOf([text.slice(0, 20), text.slice(20)], init));
  void listen(fetcher, () => "", (news) => { told.push(...news); }, over.signal);
  await vi.advanceTimersByTimeAsync(0);
  expect(told.at(-1)).toEqual({ id: "m-1", models: [change("a")] });
});

it("polls where nothing of a stream comes through", async () => {
  const paths: string[] = [];
  const fetcher: Fetcher = (path, init = {}) => {
    paths.push(path);
    if (path === "stream") return Promise.resolve(streamOf([], init));
    return Promise.resolve(new Response(JSON.stringify({ id: "m-5", reset: false, gone: [], models: [], link: LIVE })));
  };
  const store = new Store(() => undefined);
  void listen(fetcher, () => store.id, (news) => { news.forEach((piece) => { store.take(piece); }); }, over.signal);
  await vi.advanceTimersByTimeAsync(2 * SILENT_MS + POLL_MS + 500);
  expect(paths).toEqual(["stream", "changes", "stream", "changes?since=m-5", "changes?since=m-5"]);
});

it.each([
  ["the server's own words", problem(403), "You may not list Models."],
  ["how to install the server half", new Response("<html>", { status: 404 }), "does not have kubeai_notebook"],
  ["of a login's page", new Response("<html>", { headers: { "content-type": "text/html" } }), "cannot be read"],
])("tells %s where it is refused, and tries again later", async (_what, response, words) => {
  const told: News[] = [];
  const fetcher = vi.fn<Fetcher>(() => Promise.resolve(response.clone()));
  void listen(fetcher, () => "", (news) => { told.push(...news); }, over.signal);
  await vi.advanceTimersByTimeAsync(0);
  expect(told[0]?.problem?.[0]?.message).toContain(words);
  await vi.advanceTimersByTimeAsync(3_500);
  expect(fetcher).toHaveBeenCalledTimes(3);
});

it("is a refusal, and no fault of this page, when the server is away", async () => {
  const told: News[] = [];
  const fetcher: Fetcher = () => Promise.reject(new TypeError("Failed to fetch"));
  void listen(fetcher, () => "", (news) => { told.push(...news); }, over.signal);
  await vi.advanceTimersByTimeAsync(0);
  expect(told[0]?.problem?.[0]?.code).toBe("JupyterAway");
  expect(new Refusal(0, told[0]?.problem ?? []).message).toContain("does not answer");
});

it("goes on soon after the server is back, however long it was away", async () => {
  const fetcher = vi.fn<Fetcher>(() => Promise.reject(new TypeError("Failed to fetch")));
  void listen(fetcher, () => "", () => undefined, over.signal);
  await vi.advanceTimersByTimeAsync(100_000);
  const before = fetcher.mock.calls.length;
  await vi.advanceTimersByTimeAsync(POLL_MS);
  expect(fetcher.mock.calls.length).toBeGreaterThan(before);
});

it("has one tab listen and tell the others, and another go on when that one leaves", async () => {
  vi.useRealTimers();
  vi.stubGlobal("navigator", { locks: lockManager() });
  vi.stubGlobal("BroadcastChannel", Channel);
  const asked: string[] = [];
  const fetcherOf = (tab: string): Fetcher => (_path, init = {}) => {
    const from = (init.headers as Record<string, string>)["Last-Event-ID"] ?? "";
    asked.push(`${tab} ${from}`);
    const pieces = from === "" ? [event("reset", {}), event("model", change("a"), "m-1"), event("link", LIVE)] : [event("model", change("b"), "m-2")];
    return Promise.resolve(streamOf(pieces, init));
  };
  const [one, two] = [new Store(() => undefined), new Store(() => undefined)];
  const [first, second] = [new AbortController(), new AbortController()];
  share("kubeai x", fetcherOf("one"), one, first.signal);
  await vi.waitFor(() => {
    expect([...one.models.keys()]).toEqual(["a"]);
  });
  share("kubeai x", fetcherOf("two"), two, second.signal);
  await vi.waitFor(() => {
    expect([...two.models.keys()]).toEqual(["a"]);
  });
  expect(asked).toEqual(["one "]);
  first.abort();
  await vi.waitFor(() => {
    expect([...two.models.keys()]).toEqual(["a", "b"]);
  });
  expect(asked).toEqual(["one ", "two m-1"]);
  second.abort();
  vi.unstubAllGlobals();
});

it("has whichever tab listens ask again at once when one has switched the place", async () => {
  vi.stubGlobal("navigator", { locks: lockManager() });
  vi.stubGlobal("BroadcastChannel", Channel);
  const fetcher = vi.fn<Fetcher>(() => Promise.resolve(problem(503)));
  share("kubeai x", fetcher, new Store(() => undefined), over.signal);
  const hurry = share("kubeai x", fetcher, new Store(() => undefined), over.signal);
  await vi.advanceTimersByTimeAsync(40_000);
  const before = fetcher.mock.calls.length;
  hurry();
  await vi.advanceTimersByTimeAsync(10);
  expect(fetcher).toHaveBeenCalledTimes(before + 1);
  vi.unstubAllGlobals();
});

it("asks again soon where a place was switched while a request was under way", async () => {
  const fetcher = vi.fn<Fetcher>(() => Promise.resolve(problem(503)));
  const hurry = share("kubeai x", fetcher, new Store(() => undefined), over.signal);
  await vi.advanceTimersByTimeAsync(40_000);
  let fail: (answer: Response) => void = () => undefined;
  fetcher.mockImplementationOnce(() => new Promise((resolve) => (fail = resolve)));
  hurry();
  await vi.advanceTimersByTimeAsync(10);
  const before = fetcher.mock.calls.length;
  hurry();
  fail(problem(503));
  await vi.advanceTimersByTimeAsync(1_500);
  expect(fetcher).toHaveBeenCalledTimes(before + 1);
});

it("says nothing to other tabs once it is closed", () => {
  vi.stubGlobal("navigator", { locks: lockManager() });
  vi.stubGlobal("BroadcastChannel", Channel);
  const closed = new AbortController();
  const hurry = share("kubeai x", () => Promise.resolve(problem(503)), new Store(() => undefined), closed.signal);
  const said = vi.spyOn(Channel.prototype, "postMessage");
  closed.abort();
  hurry();
  expect(said).not.toHaveBeenCalled();
  vi.unstubAllGlobals();
});

/** Locks of a browser, as far as they are used: one holder of a name, the others in a row. */
function lockManager() {
  let last: Promise<unknown> = Promise.resolve();
  return {
    request: (_name: string, _options: object, work: () => Promise<void>) => {
      const mine = last.then(work);
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

/** A BroadcastChannel whose messages come later, and to the others only. */
class Channel extends EventTarget {
  private static readonly all = new Set<Channel>();

  constructor() {
    super();
    Channel.all.add(this);
  }

  postMessage(data: unknown): void {
    const copy: unknown = structuredClone(data);
    for (const other of Channel.all) {
      if (other !== this) setTimeout(() => other.dispatchEvent(new MessageEvent("message", { data: copy })));
    }
  }

  close(): void {
    Channel.all.delete(this);
  }
}
