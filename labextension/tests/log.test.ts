import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LogView } from "../src/sidebar/log";

const LOG = "model-smol-1: İİ ready\nno error (code 1.5)\nERROR (code 105)\n";
let view: LogView;
/** What the server says of the run of now and of the run before, and when. */
let logs: Record<"now" | "before", Promise<string>>;
/** How many logs were asked for, and how many have come. */
let asked: number, read: number;

async function fetcher(path: string): Promise<Response> {
  if (path.includes("/events")) return new Response(JSON.stringify({ events: [] }));
  asked += 1;
  const text = await (path.includes("previous=true") ? logs.before : logs.now);
  const response = new Response();
  response.json = () => {
    read += 1;
    return Promise.resolve({ pod: "model-smol-1", text });
  };
  return response;
}

beforeEach(() => {
  // jsdom lays nothing out.
  HTMLElement.prototype.checkVisibility = () => true;
  [asked, read] = [0, 0];
  logs = { now: Promise.resolve(LOG), before: Promise.resolve("it was killed") };
  view = new LogView(fetcher, { name: "smol", where: "here", uid: "u-1" });
  document.body.append(view.node);
});

afterEach(() => {
  view.stop();
  view.node.remove();
});

async function shows(text: string): Promise<void> {
  await vi.waitFor(() => {
    expect(view.node.querySelector("pre")?.textContent).toBe(text);
  });
}

function find(text: string): string[] {
  const input = view.node.querySelector<HTMLInputElement>("input[type=search]");
  if (input) input.value = text;
  input?.dispatchEvent(new Event("input"));
  expect(view.node.querySelector("pre")?.textContent).toBe(LOG);
  return [...view.node.querySelectorAll("mark")].map(({ textContent }) => textContent);
}

it.each([
  ["error", ["error", "ERROR"]],
  ["(code 1.5)", ["(code 1.5)"]],
  ["İ", ["İ", "İ"]],
  ["[", []],
])("marks %s where it stands in the log, in capitals or not", async (text, marked) => {
  view.node.open = true;
  await shows(LOG);
  expect(find(text)).toEqual(marked);
});

it("shows the run that was asked for last, whichever answer comes last", async () => {
  let answer: ((text: string) => void) | undefined;
  logs.now = new Promise((resolve) => {
    answer = resolve;
  });
  view.node.open = true;
  await vi.waitFor(() => {
    expect(asked).toBe(1);
  });
  const [, previous] = view.node.querySelectorAll<HTMLInputElement>("input[type=checkbox]");
  previous?.click();
  await shows("it was killed");
  answer?.(LOG);
  await vi.waitFor(() => {
    expect(read).toBeGreaterThan(1);
  });
  await shows("it was killed");
});
