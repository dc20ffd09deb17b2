import type { Changes, LinkState, ModelChange } from "../../shared/types";
import { asked, answerOf, Refusal, refusalOf, unreadable, type Fetcher } from "../request";
import type { News } from "./store";

/** A proxy that holds answers back lets not even the stream's first line through. */
export const SILENT_MS = 8_000;
/** The server says something every 15 s. */
export const STALLED_MS = 40_000;
export const POLL_MS = 5_000;
/** After so many, a stream is tried again. */
const POLLS = 12;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/** The events of a text that ends where an event ends, as one piece of news each. */
export function newsOf(text: string): News[] {
  return text.split("\n\n").flatMap((block): News[] => {
    const fields = new Map<string, string>();
    for (const line of block.split("\n")) {
      const [, name = "", value = ""] = /^(\w+): (.*)$/.exec(line) ?? [];
      if (name !== "") fields.set(name, value);
    }
    const [kind, data, id] = [fields.get("event"), fields.get("data"), fields.get("id")];
    if (kind === undefined || data === undefined) return [];
    const news = id === undefined ? {} : { id };
    if (kind === "reset") return [{ reset: true }];
    if (kind === "model") return [{ ...news, models: [JSON.parse(data) as ModelChange] }];
    if (kind === "gone") return [{ ...news, gone: [(JSON.parse(data) as { name: string }).name] }];
    return kind === "link" ? [{ link: JSON.parse(data) as LinkState }] : [];
  });
}

/** One piece for all that came at once: another tab is told once. */
export function joined(pieces: readonly News[]): News[] {
  const made: News[] = [];
  for (const piece of pieces) {
    const last = made.at(-1);
    // A Model that changes and goes, or a list that begins anew, ends a piece: within one, the order is lost.
    if (last === undefined || piece.reset || piece.gone || last.gone || last.link) made.push({ ...piece });
    else Object.assign(last, piece, { models: [...(last.models ?? []), ...(piece.models ?? [])] });
  }
  return made;
}

/**
 * Tell all that the server tells until the signal: by a stream, or by polls where nothing of a stream comes through.
 *
 * After a failure it waits longer and longer; an event "hurry" of `hurries` ends that.
 */
export async function listen(
  fetcher: Fetcher,
  lastId: () => string,
  tell: (news: News[]) => void,
  signal: AbortSignal,
  hurries = new EventTarget(),
): Promise<void> {
  let [polls, silences] = [0, 0];
  let [retryMs, hurried] = [FIRST_RETRY_MS, 0];
  hurries.addEventListener("hurry", () => {
    hurried += 1;
  }, { signal });
  while (!signal.aborted) {
    const before = hurried;
    try {
      if (polls > 0) {
        await poll(fetcher, lastId(), tell, signal);
        polls -= 1;
        if (polls > 0) await pause(POLL_MS, signal, hurries);
      } else if ((await stream(fetcher, lastId(), tell, signal)) === "silent") {
        // Once may be a server that still connects; twice is a proxy that holds the stream back.
        polls = silences > 0 ? POLLS : 1;
        silences += 1;
      } else {
        silences = 0;
        await pause(FIRST_RETRY_MS, signal, hurries);
      }
      retryMs = FIRST_RETRY_MS;
    } catch (error) {
      if (isAborted(signal)) return;
      const { notices, status } = refusalOf(error);
      tell([{ problem: notices }]);
      // What was asked for before the hurry may be of the place before.
      if (hurried !== before) retryMs = FIRST_RETRY_MS;
      await pause(retryMs, signal, hurries);
      // What goes nowhere costs nobody anything.
      retryMs = Math.min(2 * retryMs, status === 0 ? POLL_MS : LONGEST_RETRY_MS);
    }
  }
}

async function poll(fetcher: Fetcher, since: string, tell: (news: News[]) => void, signal: AbortSignal): Promise<void> {
  const changes = await answerOf<Changes>(fetcher, "GET", "changes", since === "" ? {} : { since });
  if (signal.aborted) return;
  tell([{ ...changes, gone: changes.gone.map(({ name }) => name), problem: [] }]);
}

/** Read one stream to its end; "silent": nothing came at all, not even its first line. */
async function stream(
  fetcher: Fetcher,
  lastId: string,
  tell: (news: News[]) => void,
  signal: AbortSignal,
): Promise<"ended" | "silent"> {
  const own = new AbortController();
  const stop = () => {
    own.abort();
  };
  signal.addEventListener("abort", stop);
  let heard = false;
  let timer = setTimeout(stop, SILENT_MS);
  try {
    const headers = lastId === "" ? {} : { "Last-Event-ID": lastId };
    const response = await asked(fetcher, "stream", { headers, signal: own.signal });
    if (response.headers.get("content-type")?.startsWith("text/event-stream") !== true) throw unreadable(response);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const date = Date.parse(response.headers.get("date") ?? "");
    let rest = "";
    for (let piece = await reader?.read(); piece?.done === false; piece = await reader?.read()) {
      clearTimeout(timer);
      timer = setTimeout(stop, STALLED_MS);
      if (!heard) tell([Number.isNaN(date) ? { problem: [] } : { problem: [], now: date / 1000 }]);
      heard = true;
      rest += piece.value;
      const end = rest.lastIndexOf("\n\n") + 2;
      if (end < 2) continue;
      const news = joined(newsOf(rest.slice(0, end)));
      rest = rest.slice(end);
      if (news.length > 0) tell(news);
    }
    return "ended";
  } catch (error) {
    if (error instanceof Refusal || signal.aborted) throw error;
    // Cut, or silent: not a word of why, so it is tried again, and the next request says what is wrong.
    return heard ? "ended" : "silent";
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    own.abort();
  }
}

async function pause(ms: number, signal: AbortSignal, hurries: EventTarget): Promise<void> {
  await new Promise<void>((resolve) => {
    const heard = new AbortController();
    const end = () => {
      clearTimeout(timer);
      heard.abort();
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { signal: heard.signal });
    hurries.addEventListener("hurry", end, { signal: heard.signal });
  });
}

/** Asked by a function, since it may change between two lines that the compiler takes for one moment. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
