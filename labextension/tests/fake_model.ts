import type { AnyModel } from "@anywidget/types";
import type { Card, ModelsTable, Request, RequestProgress } from "../shared/types";

export const CARD: Card = {
  name: "smol",
  uid: "a",
  namespace: "default",
  where: "on this machine",
  phase: "Loading",
  tone: "busy",
  announcement: "Model smol is Loading.",
  detail: "Starting llama.cpp.",
  next_step: "",
  note: "",
  progress: null,
  phase_since_seconds: 0,
  steps: [],
  facts: [
    { label: "Replicas", value: "0 of 1 ready" },
    { label: "Source", value: "ollama://smollm2:135m" },
  ],
  findings: [],
  verbs: [],
  replicas: 1,
  playground: false,
  link: "live",
  link_since_seconds: 0,
  sent_at_seconds: 1_800_000_000,
};

/** What anywidget gives to `render`, with the kernel's half played by `receive`. */
export class FakeModel<Shown extends object = Card> {
  private readonly listeners = new Map<string, Set<(message?: unknown) => void>>();
  /** The kernel was shut down: then ipywidgets throws, and tells no widget of it. */
  shutDown = false;
  /** As JupyterLab's, which has no kernel once it was shut down. */
  readonly widget_manager: { kernel: { isDisposed: boolean; status: string } | null } = {
    kernel: { isDisposed: false, status: "idle" },
  };
  /** What was sent to the kernel. */
  readonly sent: Request[] = [];

  constructor(
    private shown: Shown,
    private readonly trait = "card",
  ) {}

  readonly as = this as unknown as AnyModel<{ card: Card }> & AnyModel<{ table: ModelsTable }>;

  get(): Shown {
    return this.shown;
  }

  send(request: Request): void {
    if (this.shutDown) throw new Error("Cannot send");
    this.sent.push(request);
  }

  /** Answer the last request of this verb. */
  answer(verb: Request["verb"], change: Partial<RequestProgress>): void {
    const id = this.sent.filter((request) => request.verb === verb).at(-1)?.id ?? "";
    const plain: RequestProgress = {
      id,
      state: "done",
      note: "",
      diff: [],
      restarts: false,
      resource_version: "",
      details: null,
      notices: [],
    };
    this.fire("msg:custom", { ...plain, ...change });
  }

  on(event: string, listener: (message?: unknown) => void): void {
    const known = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, known.add(listener));
  }

  off(event: string, listener: (message?: unknown) => void): void {
    this.listeners.get(event)?.delete(listener);
  }

  receive(change: Partial<Shown>): void {
    this.shown = { ...this.shown, ...change };
    this.fire(`change:${this.trait}`);
  }

  fire(event: string, message?: unknown): void {
    for (const listener of this.listeners.get(event) ?? []) listener(message);
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, known) => sum + known.size, 0);
  }
}
