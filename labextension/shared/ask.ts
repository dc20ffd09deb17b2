import type { AnyModel } from "@anywidget/types";
import { send } from "./gone";
import { trans } from "./translate";
import type { Request, RequestProgress } from "./types";

/** How long the kernel may be silent before its reader is told why nothing happens. */
export const SILENCE_MS = 300;

/** What becomes of a request: an answer of the kernel, or that there is none yet. */
export type Heard = RequestProgress | "busy";

/** How long something that was asked for may take before it is asked for again; each time twice as long. */
const PATIENCE_MS = 2_000;

/**
 * Asks for something until it comes. Jupyter's server drops messages where too many come at once, and tells neither
 * side; a kernel that runs a cell answers when the cell has ended.
 */
export class UntilItComes {
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** `ask` says whether it was sent: where the kernel has gone nothing will come. */
  constructor(private readonly ask: () => boolean) {}

  /** Ask, where nothing is on its way. Whether something is now. */
  start(): boolean {
    return this.timer !== undefined || this.askAgain(PATIENCE_MS);
  }

  /** It has come, or is not wanted any more. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private askAgain(patience: number): boolean {
    this.timer = undefined;
    if (!this.ask()) return false;
    this.timer = setTimeout(() => this.askAgain(2 * patience), patience);
    return true;
  }
}

export type Wanted = Partial<Omit<Request, "id">> & Pick<Request, "verb">;

/** Who is asked of a Model: the kernel of a notebook, or the Jupyter server. */
export interface Asks {
  ask(wanted: Wanted, hear: (heard: Heard) => void): void;
  /** Whether the user wants a question before a Model is deleted; left out, they do. */
  confirms?(): boolean;
  stop(): void;
}

const EMPTY: Omit<Request, "id" | "verb"> = {
  name: "",
  uid: "",
  replicas: 0,
  remedy_id: "",
  resource_version: "",
  yes: false,
  dry_run: false,
};

/**
 * Sends requests to the kernel and gives each its answers. A kernel in which a cell runs takes no message until that
 * ends: so silence is told, and not waited out. What only reads is asked for until it comes.
 */
export class Asker<State extends Record<string, unknown>> implements Asks {
  private readonly waiting = new Map<string, (heard: Heard) => void>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly reads = new Set<UntilItComes>();

  constructor(private readonly model: AnyModel<State>) {
    model.on("msg:custom", this.receive);
  }

  ask(wanted: Wanted, hear: (heard: Heard) => void): void {
    const isRead = wanted.dry_run === true || wanted.verb === "look" || wanted.verb === "idle";
    if (!isRead) {
      this.send(wanted, hear);
      return;
    }
    const read = new UntilItComes(() =>
      this.send(wanted, (heard) => {
        if (!this.reads.has(read)) return;
        if (isOver(heard)) this.end(read);
        hear(heard);
      }),
    );
    this.reads.add(read);
    if (!read.start()) this.end(read);
  }

  /** Hear no more: of what was asked, the kernel may still do it. */
  stop(): void {
    this.model.off("msg:custom", this.receive);
    for (const timer of this.timers.values()) clearTimeout(timer);
    for (const read of this.reads) this.end(read);
    this.waiting.clear();
    this.timers.clear();
  }

  private end(read: UntilItComes): void {
    read.stop();
    this.reads.delete(read);
  }

  /** Whether it was sent. */
  private send(wanted: Wanted, hear: (heard: Heard) => void): boolean {
    // A page that came by plain http has no randomUUID.
    const id = crypto.getRandomValues(new Uint32Array(3)).join("-");
    if (!send(this.model, { ...EMPTY, ...wanted, id })) return false;
    this.waiting.set(id, hear);
    this.timers.set(
      id,
      setTimeout(() => {
        hear("busy");
      }, SILENCE_MS),
    );
    return true;
  }

  private readonly receive = (message: unknown): void => {
    if (!isAnswer(message)) return;
    const hear = this.waiting.get(message.id);
    clearTimeout(this.timers.get(message.id));
    this.timers.delete(message.id);
    if (message.state === "done" || message.state === "failed") this.waiting.delete(message.id);
    hear?.(message);
  };
}

function isAnswer(message: unknown): message is RequestProgress {
  return typeof message === "object" && message !== null && "id" in message && "state" in message;
}

/** Whether nothing more comes of this request. */
export function isOver(heard: Heard): heard is RequestProgress {
  return heard !== "busy" && (heard.state === "done" || heard.state === "failed");
}

/** That a request goes on, in words; nothing where it is over. */
export function underWay(heard: Heard): string {
  if (heard === "busy") return trans.__("Queued: the kernel is busy, and does this when its cell has ended.");
  return { queued: trans.__("Queued."), doing: trans.__("Working …"), done: "", failed: "" }[heard.state];
}

/** Why a request failed, and what to do. */
export function failure(answer: RequestProgress): string {
  return answer.notices.map((notice) => [notice.message, notice.remedy].filter(Boolean).join(" ")).join("\n");
}
