import { button, element, isSeen, put, putText } from "../../shared/dom";
import { trans } from "../../shared/translate";
import type { Events, LogText } from "../../shared/types";
import { answerOf, refusalOf, type Fetcher, type Shown } from "../request";

const LOOKS_MS = 2_000;
const LINES = 1_000;

/** Events and log of a Model, folded: both are asked for only while they are unfolded and seen. */
export class LogView {
  readonly node = element("details", "kubeai-card-details");
  private readonly find = element("input", "");
  private readonly following = checkbox(trans.__("Follow"), true);
  private readonly previous = checkbox(trans.__("Run before"), false);
  private readonly count = element("span", "kubeai-card-faint");
  private readonly events = element("ol", "kubeai-card-events");
  private readonly heading = element("p", "kubeai-card-faint");
  private readonly log = element("pre", "kubeai-card-log");
  private text = "";
  private asks = 0;
  private at = -1;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly fetcher: Fetcher,
    private readonly model: Shown,
  ) {
    this.log.tabIndex = 0;
    this.log.setAttribute("role", "region");
    this.log.setAttribute("aria-label", trans.__("Log of %1", model.name));
    this.events.setAttribute("aria-label", trans.__("Events, the newest first"));
    this.find.type = "search";
    this.find.placeholder = trans.__("Find in the log");
    this.find.setAttribute("aria-label", this.find.placeholder);
    this.count.setAttribute("role", "status");
    this.heading.setAttribute("role", "status");
    const next = button(trans.__("Next"), trans.__("Next place in the log"));
    next.addEventListener("click", () => {
      this.go();
    });
    this.find.addEventListener("input", () => {
      this.at = -1;
      this.mark();
    });
    this.find.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.go();
    });
    const row = element("div", "kubeai-sidebar-row");
    row.append(this.find, next, this.count, this.following.label, this.previous.label);
    this.node.append(element("summary", "", trans.__("Events and log")), this.events, this.heading, row, this.log);
    this.node.addEventListener("toggle", () => {
      this.look();
    });
    for (const { input } of [this.following, this.previous]) {
      input.addEventListener("change", () => {
        this.look();
      });
    }
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private look(): void {
    this.stop();
    if (!this.node.open) return;
    void this.ask().finally(() => {
      this.stop();
      if (this.following.input.checked && this.node.isConnected) {
        this.timer = setTimeout(() => {
          this.look();
        }, LOOKS_MS);
      }
    });
  }

  private async ask(): Promise<void> {
    if (!isSeen(this.node)) return;
    const { name, where } = this.model;
    const path = `models/${name}`;
    const number = (this.asks += 1);
    try {
      const { events } = await answerOf<Events>(this.fetcher, "GET", `${path}/events`, { where });
      this.showEvents(events);
      const wanted = { where, tail_lines: LINES, previous: this.previous.input.checked };
      const { pod, text } = await answerOf<LogText>(this.fetcher, "GET", `${path}/logs`, wanted);
      if (number !== this.asks) return; // of the run before, or of a moment ago
      put(this.heading, trans.__("Log of %1", pod));
      this.show(text);
    } catch (error) {
      put(this.heading, refusalOf(error).message);
    }
  }

  private showEvents(events: Events["events"]): void {
    const lines = events.map(({ at_seconds, text }) => {
      const line = element("li", "");
      const when = at_seconds > 0 ? new Date(at_seconds * 1000).toLocaleTimeString() : "";
      line.append(element("time", "kubeai-card-faint", when), ` ${text}`);
      return line;
    });
    this.events.replaceChildren(...lines);
  }

  private show(text: string): void {
    if (text === this.text) return;
    this.text = text;
    // Whoever has scrolled up reads there; whoever is at the end follows it.
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 20;
    this.mark();
    if (atEnd && this.find.value === "") this.log.scrollTop = this.log.scrollHeight;
  }

  /** Draw the log, with what is sought marked. */
  private mark(): void {
    const sought = this.find.value;
    if (sought === "") {
      putText(this.log, this.text || trans.__("It has written nothing so far."));
      putText(this.count, "");
      return;
    }
    // In the text as it is: in lower case it may be longer (İ), and each place behind that is another one.
    const places = new RegExp(`(${sought.replace(/[$()*+.?[\\\]^{|}]/g, "\\$&")})`, "iu");
    const parts = this.text.split(places).map((part, index) => (index % 2 === 1 ? element("mark", "", part) : part));
    this.log.replaceChildren(...parts);
    this.tell();
  }

  /** Go to the next place. */
  private go(): void {
    const marks = this.log.querySelectorAll("mark");
    if (marks.length === 0) return;
    this.at = (this.at + 1) % marks.length;
    marks[this.at]?.scrollIntoView({ block: "nearest" });
    for (const [index, mark] of marks.entries()) mark.classList.toggle("kubeai-sidebar-current", index === this.at);
    this.tell();
  }

  private tell(): void {
    const count = this.log.querySelectorAll("mark").length;
    putText(this.count, this.at < 0 ? trans._n("%1 found", "%1 found", count) : trans.__("%1 of %2", this.at + 1, count));
  }
}

function checkbox(text: string, checked: boolean): { label: HTMLElement; input: HTMLInputElement } {
  const label = element("label", "");
  const input = element("input", "");
  input.type = "checkbox";
  input.checked = checked;
  label.append(input, ` ${text}`);
  return { label, input };
}
