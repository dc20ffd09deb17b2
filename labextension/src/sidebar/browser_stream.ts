import type { Fetcher } from "../request";
import type { News, Store } from "./store";
import { isAborted, listen } from "./stream";

type Message = { kind: "hello" } | { kind: "hurry" } | { kind: "news"; news: News[] };

/**
 * One stream a browser: of the tabs that show Models, the one that holds a lock listens to the server and tells the
 * others, since HTTP/1.1 lets a browser open six connections to one server. When that tab goes or hides its sidebar,
 * the next one has the lock and goes on where the last one came to.
 *
 * Without locks, as on plain http, each tab listens for itself while it is seen.
 *
 * The function that is returned has the server asked again at once, where that waits after a failure.
 */
export function share(name: string, fetcher: Fetcher, store: Store, signal: AbortSignal): () => void {
  const hurries = new EventTarget();
  const hurry = () => {
    hurries.dispatchEvent(new Event("hurry"));
  };
  const { locks } = navigator as { locks?: LockManager };
  if (locks === undefined) {
    void alone(fetcher, store, signal, hurries);
    return hurry;
  }
  const channel = new BroadcastChannel(name);
  let leads = false;
  const say = (message: Message) => {
    channel.postMessage(message);
  };
  const sayAll = () => {
    const whole = store.whole();
    if (whole !== undefined) say({ kind: "news", news: [whole] });
  };
  channel.addEventListener("message", ({ data }: MessageEvent<Message>) => {
    if (data.kind === "news") data.news.forEach((news) => { store.take(news); });
    else if (data.kind === "hurry") hurry();
    else if (leads) sayAll(); // to a tab that has just come, and would know nothing until the next change
  });
  signal.addEventListener("abort", () => {
    channel.close();
  });
  say({ kind: "hello" });
  const lead = async () => {
    leads = true;
    sayAll();
    await listen(fetcher, () => store.id, (news) => {
      for (const piece of news) store.take(piece);
      say({ kind: "news", news });
    }, signal, hurries);
  };
  // Whoever stops waiting for the lock is told so by an error, which is no fault.
  locks.request(name, { signal }, lead).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return () => {
    if (isAborted(signal)) return;
    hurry();
    say({ kind: "hurry" });
  };
}

/** Listen while the tab is seen. */
async function alone(fetcher: Fetcher, store: Store, signal: AbortSignal, hurries: EventTarget): Promise<void> {
  while (!signal.aborted) {
    const seen = new AbortController();
    const look = () => {
      if (document.hidden || signal.aborted) seen.abort();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
    look();
    await listen(fetcher, () => store.id, (news) => { news.forEach((piece) => { store.take(piece); }); }, seen.signal, hurries);
    document.removeEventListener("visibilitychange", look);
    if (!isAborted(signal)) {
      await new Promise((resolve) => {
        document.addEventListener("visibilitychange", resolve, { once: true });
        signal.addEventListener("abort", resolve, { once: true });
      });
    }
  }
}
