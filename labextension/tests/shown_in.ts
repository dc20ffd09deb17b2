import type { AnyModel } from "@anywidget/types";

/** The kernel's half, with its traits. */
export class FakeModel {
  private readonly listeners = new Map<string, Set<(message?: unknown) => void>>();
  /** The kernel was shut down: then ipywidgets throws, and tells no widget of it. */
  shutDown = false;
  readonly sent: unknown[] = [];
  /** The bytes beside what was sent. */
  readonly buffers: ArrayBuffer[] = [];
  saved = 0;
  readonly as = this as unknown as AnyModel;

  constructor(readonly traits: Record<string, unknown>) {}

  get(name: string): unknown {
    return this.traits[name];
  }

  set(name: string, value: unknown): void {
    this.traits[name] = value;
  }

  save_changes(): void {
    this.saved += 1;
  }

  send(message: unknown, _callbacks?: unknown, buffers: ArrayBuffer[] = []): void {
    if (this.shutDown) throw new Error("Cannot send");
    this.sent.push(message);
    this.buffers.push(...buffers);
  }

  on(event: string, listener: (message?: unknown) => void): void {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(listener));
  }

  off(event: string, listener: (message?: unknown) => void): void {
    this.listeners.get(event)?.delete(listener);
  }

  receive(change: object): void {
    this.traits.state = { ...(this.traits.state as object), ...change };
    this.fire("change:state");
  }

  fire(event: string): void {
    for (const listener of this.listeners.get(event) ?? []) listener();
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, known) => sum + known.size, 0);
  }
}

interface Widget {
  render(place: { model: never; el: HTMLElement }): (() => void) | undefined;
}

/** A widget of these traits in a page; `press` clicks the button that says so. */
export function shownIn(widget: unknown, traits: Record<string, unknown>) {
  const model = new FakeModel(traits);
  const el = document.body.appendChild(document.createElement("div"));
  const end = (widget as Widget).render({ model: model.as as never, el });
  const find = (selector: string) => el.querySelector<HTMLElement>(selector);
  const press = (text: string) => {
    [...el.querySelectorAll("button")].find((node) => node.textContent === text)?.click();
  };
  return { model, el, end, find, press };
}

/** The cells of a table, row by row. */
export function textsOf(el: HTMLElement, selector: string): string[][] {
  return [...el.querySelectorAll(`${selector} tr`)].map((row) => [...row.children].map((node) => node.textContent));
}
