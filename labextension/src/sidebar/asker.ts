import type { Asks, Heard, Wanted } from "../../shared/ask";
import type { Done, Events, RequestProgress } from "../../shared/types";
import { answerOf, refusalOf, type Fetcher, type Refusal, type Shown } from "../request";

/** How long the server may take before its reader is told that it works. */
const SILENCE_MS = 300;
const EMPTY: RequestProgress = {
  id: "", state: "done", note: "", diff: [], restarts: false, resource_version: "", details: null, notices: [],
};

/** A card's requests, done by the Jupyter server instead of a kernel. */
export class ServerAsker implements Asks {
  private stopped = false;

  constructor(
    private readonly fetcher: Fetcher,
    private readonly model: Shown,
    private readonly openPlayground: () => void,
    readonly confirms: () => boolean,
  ) {}

  ask(wanted: Wanted, hear: (heard: Heard) => void): void {
    const told = (heard: Heard) => {
      if (!this.stopped) hear(heard);
    };
    const timer = setTimeout(() => {
      told({ ...EMPTY, state: "doing" });
    }, SILENCE_MS);
    void this.answer(wanted).then((answer) => {
      clearTimeout(timer);
      told(answer);
    });
  }

  stop(): void {
    this.stopped = true;
  }

  private async answer(wanted: Wanted): Promise<RequestProgress> {
    try {
      return { ...EMPTY, ...(await this.done(wanted)) };
    } catch (error) {
      return { ...EMPTY, state: "failed", ...refused(refusalOf(error)) };
    }
  }

  private async done({ verb, dry_run = false, yes = false, ...wanted }: Wanted): Promise<Partial<RequestProgress>> {
    const { name, where, uid } = this.model;
    const path = `models/${name}`;
    const values = { where, uid, ...(yes ? { yes } : {}) };
    const post = (more: Record<string, string | number | boolean> = {}) =>
      answerOf<Done>(this.fetcher, "POST", `${path}/${verb}`, { ...values, ...more }).then((done) => this.end(done));
    if (verb === "show") this.openPlayground();
    if (verb === "show" || verb === "idle") return {};
    if (verb === "look") {
      const { events } = await answerOf<Events>(this.fetcher, "GET", `${path}/events`, { where });
      return { details: { events, log: "", pod: "", problem: "" } };
    }
    if (verb === "delete") {
      const target = dry_run ? `${path}/stake` : path;
      return this.end(await answerOf<Done>(this.fetcher, dry_run ? "GET" : "DELETE", target, values));
    }
    if (verb === "scale") return post({ replicas: wanted.replicas ?? 0 });
    if (verb !== "fix") return post();
    const version = wanted.resource_version ? { resource_version: wanted.resource_version } : {};
    return post({ remedy_id: wanted.remedy_id ?? "", ...(dry_run ? { dry_run } : {}), ...version });
  }

  /** How it ended. The server answers within half a minute, done or not: what takes longer is asked for until it is. */
  private async end(done: Done): Promise<Partial<RequestProgress>> {
    let told = done;
    while (told.under_way && !this.stopped) {
      told = await answerOf<Done>(this.fetcher, "GET", "late", { request_id: told.request_id });
    }
    return partOf(told);
  }
}

function partOf({ note, diff, restarts, resource_version, notices }: Done): Partial<RequestProgress> {
  return { note, diff, restarts, resource_version, notices };
}

/** A refusal as an answer; of a Model that is somebody else's, the question names what would go with it. */
function refused({ notices, note, diff }: Refusal): Pick<RequestProgress, "notices" | "diff"> {
  const [first, ...others] = notices;
  if (first === undefined || note === "") return { notices: [...notices], diff: [...diff] };
  return { notices: [{ ...first, message: [first.message, note].join(" ") }, ...others], diff: [...diff] };
}
