import type { AnyModel } from "@anywidget/types";
import { atEnd } from "../shared/dom";
import { whenGone } from "../shared/gone";

/** What is drawn of a widget in one place of a page. */
export interface LiveView {
  readonly node: HTMLElement;
  /** The kernel's half has gone: nothing new comes. */
  lose(): void;
  /** A second has passed. */
  tick(): void;
  stop(): void;
}

interface Place {
  model: AnyModel;
  el: HTMLElement;
  signal: AbortSignal | undefined;
}

/** Show the view in its place, and keep it at what the kernel says by a trait, until the place goes. */
export function follow({ model, el, signal }: Place, trait: string, view: LiveView, show: () => void) {
  el.append(view.node);
  show();
  model.on(`change:${trait}`, show);
  const hearNoMore = whenGone(model, () => {
    view.lose();
  });
  const ticking = setInterval(() => {
    view.tick();
  }, 1000);
  return atEnd(signal, () => {
    clearInterval(ticking);
    hearNoMore();
    model.off(`change:${trait}`, show);
    view.stop();
  });
}
