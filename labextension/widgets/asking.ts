import type { AnyModel } from "@anywidget/types";
import { SILENCE_MS, underWay } from "../shared/ask";
import { element, put } from "../shared/dom";
import { disableForm, kernelIsIdle, send, whenGone } from "../shared/gone";

/** How many times in a row a kernel is idle and silent before it counts as gone: three seconds. */
const MOST_SILENCES = 10;

/**
 * Sends what a user asks, and says so where the kernel does not take it: a kernel that runs a cell reads no messages
 * until the cell has ended, and one that was restarted knows nothing of the form. Each answer of the kernel's, whatever
 * it says, ends the waiting.
 */
export class Asking {
  readonly node = element("p", "kubeai-form-queued");
  private timer: ReturnType<typeof setInterval> | undefined;
  private gone = false;

  constructor(
    private readonly model: AnyModel,
    signal: AbortSignal,
  ) {
    this.node.setAttribute("role", "status");
    this.node.hidden = true;
    heard(model, signal, () => {
      this.end();
    });
    const hearNoMore = whenGone(model, () => {
      this.lose();
    });
    signal.addEventListener("abort", () => {
      hearNoMore();
      this.end();
    });
  }

  send(message: object): void {
    this.end();
    if (this.gone || !send(this.model, message)) return;
    let silences = 0;
    this.timer = setInterval(() => {
      silences = kernelIsIdle(this.node) ? silences + 1 : 0;
      if (silences === 0) put(this.node, underWay("busy"));
      else if (silences >= MOST_SILENCES) this.lose();
    }, SILENCE_MS);
  }

  private lose(): void {
    this.gone = true;
    this.end();
    disableForm(this.node);
  }

  private end(): void {
    clearInterval(this.timer);
    put(this.node, "");
  }
}

/** Hear the kernel's messages until the signal. */
export function heard(model: AnyModel, signal: AbortSignal, take: (message: unknown) => void): void {
  model.on("msg:custom", take);
  signal.addEventListener("abort", () => {
    model.off("msg:custom", take);
  });
}

/** Call it now, and at each change of these traits until the signal. */
export function shown(model: AnyModel, signal: AbortSignal, names: readonly string[], show: () => void): void {
  show();
  for (const name of names) model.on(`change:${name}`, show);
  signal.addEventListener("abort", () => {
    for (const name of names) model.off(`change:${name}`, show);
  });
}
