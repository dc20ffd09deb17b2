/** How many times as long as a draw took the page rests after it. */
const RESTS = 4;

/**
 * Draws a text that grows, no more often than its cost allows: each draw reads the last block anew, so one that is long
 * and comes in pieces would keep the page busy. What comes during a rest is drawn together after it.
 */
export class Paced {
  private waiting = "";
  private restsUntil = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly draw: (text: string) => void) {}

  add(text: string): void {
    this.waiting += text;
    if (this.timer !== undefined) return;
    const rest = this.restsUntil - performance.now();
    if (rest <= 0) this.drawNow();
    else this.timer = setTimeout(this.drawNow, rest);
  }

  /** Draw nothing of what waits. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.waiting = "";
  }

  private readonly drawNow = (): void => {
    const [text, begun] = [this.waiting, performance.now()];
    this.stop();
    this.draw(text);
    const ended = performance.now();
    this.restsUntil = ended + RESTS * (ended - begun);
  };
}
