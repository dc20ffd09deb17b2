import type { AnyModel } from "@anywidget/types";
import type { Card } from "../widgets/types";

export const CARD: Card = {
  name: "smol",
  namespace: "default",
  where: "default on this machine",
  phase: "Loading",
  tone: "busy",
  announcement: "Model smol is Loading.",
  detail: "Starting llama.cpp.",
  next_step: "",
  note: "",
  progress: null,
  phase_since_seconds: 0,
  facts: [
    { label: "Replicas", value: "0 of 1 ready" },
    { label: "Source", value: "ollama://smollm2:135m" },
  ],
  findings: [],
  link: "live",
  link_since_seconds: 0,
  sent_at_seconds: 1_800_000_000,
};

/** What anywidget gives to `render`, with the kernel's half played by `receive`. */
export class FakeModel {
  private readonly listeners = new Map<string, Set<() => void>>();

  constructor(private card: Card) {}

  readonly as = this as unknown as AnyModel<{ card: Card }>;

  get(): Card {
    return this.card;
  }

  on(event: string, listener: () => void): void {
    const known = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, known.add(listener));
  }

  off(event: string, listener: () => void): void {
    this.listeners.get(event)?.delete(listener);
  }

  receive(change: Partial<Card>): void {
    this.card = { ...this.card, ...change };
    this.fire("change:card");
  }

  fire(event: string): void {
    for (const listener of this.listeners.get(event) ?? []) listener();
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, known) => sum + known.size, 0);
  }
}
