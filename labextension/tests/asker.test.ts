import { expect, it } from "vitest";
import { ServerAsker } from "../src/sidebar/asker";
import type { RequestProgress } from "../shared/types";

const DONE = { action: "nothing", name: "smol", note: "", diff: [], restarts: false, resource_version: "", notices: [] };
const GOES_ON = { ...DONE, note: "This goes on.", under_way: true, request_id: "r-1" };
const MODEL = { name: "smol", where: "m", uid: "u-1" };

/** What is heard in the end of a deletion that the server answers so, one after the other, and what it was asked. */
async function deleted(...answers: [status: number, body: unknown][]): Promise<[RequestProgress, string[]]> {
  const asked: string[] = [];
  const fetcher = (path: string) => {
    asked.push(path);
    const [status, body] = answers.shift() ?? [500, {}];
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  };
  const asker = new ServerAsker(fetcher, MODEL, () => undefined, () => true);
  const heard = await new Promise<RequestProgress>((hear) => {
    asker.ask({ verb: "delete" }, (now) => {
      if (now !== "busy" && now.state !== "doing") hear(now);
    });
  });
  return [heard, asked];
}

it("hears how a request ended that took longer than its answer", async () => {
  const [heard, asked] = await deleted([202, GOES_ON], [202, GOES_ON], [200, { ...DONE, note: "smol is deleted." }]);
  expect(heard).toMatchObject({ state: "done", note: "smol is deleted." });
  expect(asked).toEqual(["models/smol?where=m&uid=u-1", "late?request_id=r-1", "late?request_id=r-1"]);
});

it("hears why a request failed that took longer than its answer", async () => {
  const notice = { code: "WaitTimeoutError", severity: "error", field: "", message: "smol is not gone after 60 s.", remedy: "" };
  const [heard] = await deleted([202, GOES_ON], [504, { notices: [notice], note: "", diff: [] }]);
  expect(heard).toMatchObject({ state: "failed", notices: [notice] });
});

it("hears that an answer cannot be read, as where a login's page comes in its place", async () => {
  const fetcher = () => Promise.resolve(new Response("<html>Log in</html>"));
  const asker = new ServerAsker(fetcher, MODEL, () => undefined, () => true);
  const heard = await new Promise<RequestProgress>((hear) => {
    asker.ask({ verb: "delete" }, (now) => {
      if (now !== "busy" && now.state !== "doing") hear(now);
    });
  });
  expect(heard).toMatchObject({ state: "failed", notices: [{ code: "UnreadableAnswer" }] });
});
