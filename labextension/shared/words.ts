import { trans } from "./translate";
import type { Card, CardStep } from "./types";

/** The kernel's time on the reader's machine, whose own clock may be wrong. */
export class KernelClock {
  private aheadSeconds = 0;

  /** Take the time from a card that has just come. */
  set(card: Pick<Card, "sent_at_seconds">): void {
    this.aheadSeconds = card.sent_at_seconds - Date.now() / 1000;
  }

  now(): number {
    return Date.now() / 1000 + this.aheadSeconds;
  }
}

/** That what is shown is old, and of when: in the reader's own time, so Python cannot say it. */
export function linkText(card: Pick<Card, "link" | "link_since_seconds">, nowSeconds: number): string {
  if (card.link === "live") return "";
  const since = new Date(card.link_since_seconds * 1000);
  const isToday = since.toDateString() === new Date(nowSeconds * 1000).toDateString();
  const when = isToday ? since.toLocaleTimeString() : since.toLocaleString();
  return trans.__("Not connected since %1. What follows is as it was then.", when);
}

/** `38 s`, `4 min 12 s`, `2 h 5 min`, `3 d 4 h`; nothing for a time that is not known. */
export function sinceText(sinceSeconds: number, nowSeconds: number): string {
  if (sinceSeconds <= 0) return "";
  return lengthText(nowSeconds - sinceSeconds);
}

/** The same, for a length of time. */
export function lengthText(lengthSeconds: number): string {
  const seconds = Math.max(0, Math.floor(lengthSeconds));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes < 1) return trans.__("%1 s", seconds);
  if (hours < 1) return trans.__("%1 min %2 s", minutes, seconds % 60);
  if (hours < 24) return trans.__("%1 h %2 min", hours, minutes % 60);
  return trans.__("%1 d %2 h", Math.floor(hours / 24), hours % 24);
}

/** `38 s, last time 41 s`: how long a step took, or takes until now, and did before. */
export function stepText(step: CardStep, sinceSeconds: number, nowSeconds: number): string {
  const taken = step.state === "now" ? sinceText(sinceSeconds, nowSeconds) : step.seconds === null ? "" : lengthText(step.seconds);
  const before = step.last_seconds === null ? "" : trans.__("last time %1", lengthText(step.last_seconds));
  return [taken, before].filter(Boolean).join(", ");
}
