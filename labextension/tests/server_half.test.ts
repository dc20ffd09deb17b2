import { expect, it, vi } from "vitest";
import { ServerHalf } from "../src/server_half";
import type { Fetcher } from "../src/request";

const PROD = { context: "prod", namespace: "team" };
const NOWHERE = { context: "", namespace: "" };

/** A server that starts in its own place, and says so until somebody has told it another one. */
function server() {
  const at = { mark: "first", place: "its own", refuses: false, asked: [] as string[] };
  const send: Fetcher = (path, init = {}) => {
    at.asked.push(`${init.method ?? "GET"} ${path}`);
    let status = 200;
    if (path === "where" && at.refuses) status = 403;
    else if (path === "where") {
      at.mark = "";
      at.place = (JSON.parse(init.body as string) as { context: string }).context;
    }
    const notice = { code: "NotAllowedByJupyter", message: "You may not.", remedy: "" };
    const body = status === 200 ? { place: at.place } : { notices: [notice], note: "", diff: [] };
    const headers: Record<string, string> = at.mark === "" ? {} : { "KubeAI-Untold": at.mark };
    return Promise.resolve(new Response(JSON.stringify(body), { status, headers }));
  };
  const startAnew = (mark: string) => {
    Object.assign(at, { mark, place: "its own", asked: [] });
  };
  const refused = vi.fn<(why: string) => void>();
  const half = new ServerHalf(send, refused);
  const placeOf = async (path: string) => ((await (await half.fetcher(path)).json()) as { place: string }).place;
  return { at, half, refused, startAnew, placeOf };
}

it("tells a server that was started anew where the settings say, and shows nothing of another place", async () => {
  const { at, half, startAnew, placeOf } = server();
  await half.workAt(PROD);
  expect(await placeOf("models")).toBe("prod");
  startAnew("second");
  expect(await Promise.all([placeOf("stream"), placeOf("models")])).toEqual(["prod", "prod"]);
  expect(at.asked.filter((one) => one === "POST where")).toHaveLength(1);
});

it("waits with what it asks while the server is told, as when a page is opened", async () => {
  const { half, placeOf } = server();
  const telling = half.workAt(PROD);
  expect(await placeOf("models")).toBe("prod");
  await telling;
});

it("leaves a server where somebody has put it since it started", async () => {
  const { at, half, startAnew, placeOf } = server();
  await half.workAt(PROD);
  startAnew("second");
  await half.fetcher("where", { method: "POST", body: JSON.stringify({ context: "chosen" }) });
  expect(await placeOf("models")).toBe("chosen");
  expect(at.asked).toEqual(["POST where", "GET models"]);
});

it("tells a server nothing where the settings name no place, or name it no longer", async () => {
  const { at, half, startAnew, placeOf } = server();
  expect(await placeOf("models")).toBe("its own");
  expect(at.asked).toEqual(["GET models"]);
  await half.workAt(PROD);
  await half.workAt(NOWHERE);
  startAnew("second");
  expect(await placeOf("models")).toBe("its own");
  expect(at.asked).toEqual(["GET models"]);
});

it("tells each server once, says why one refuses, and sends no change a second time", async () => {
  const { at, half, refused, startAnew } = server();
  at.refuses = true;
  await half.workAt(PROD);
  await half.fetcher("models");
  expect(at.asked).toEqual(["POST where", "GET models"]);
  refused.mockClear();
  startAnew("second");
  await half.fetcher("models/smol/scale", { method: "POST" });
  await vi.waitFor(() => {
    expect(refused).toHaveBeenLastCalledWith("You may not.");
  });
  await half.fetcher("models");
  expect(at.asked).toEqual(["POST models/smol/scale", "POST where", "GET models"]);
});
