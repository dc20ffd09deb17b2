import { failure, isOver, underWay, type Asks } from "../shared/ask";
import { element, isSeen, put, putText } from "../shared/dom";
import { trans } from "../shared/translate";
import type { Details } from "../shared/types";

/** How often what is unfolded is asked for again. */
export const LOOKS_MS = 4000;

/** Events and the end of the log, folded: they are asked for only while they are unfolded and can be seen. */
export class DetailsView {
  readonly node = element("details", "kubeai-card-details");
  private readonly state = element("p", "kubeai-card-faint");
  private readonly events = element("ol", "kubeai-card-events");
  private readonly heading = element("p", "kubeai-card-faint");
  private readonly log = element("pre", "kubeai-card-log");
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly asker: Asks) {
    this.log.tabIndex = 0;
    this.log.setAttribute("role", "region");
    this.log.setAttribute("aria-label", trans.__("End of the log"));
    this.events.setAttribute("aria-label", trans.__("Events, the newest first"));
    this.node.append(element("summary", "", trans.__("Events and log")), this.state, this.events, this.heading, this.log);
    for (const part of [this.events, this.log]) part.hidden = true;
    this.node.addEventListener("toggle", () => {
      this.stop();
      if (this.node.open) this.look();
    });
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private look(): void {
    if (!isSeen(this.node)) {
      this.later();
      return;
    }
    this.asker.ask({ verb: "look" }, (heard) => {
      put(this.state, underWay(heard));
      if (!isOver(heard)) return;
      if (heard.details === null) put(this.state, failure(heard));
      else this.show(heard.details);
      this.later();
    });
  }

  private later(): void {
    if (!this.node.open) return;
    this.stop();
    this.timer = setTimeout(() => {
      this.look();
    }, LOOKS_MS);
  }

  private show(details: Details): void {
    const none = details.events.length === 0 ? trans.__("No Events of its Pods are left; Kubernetes keeps them for an hour.") : "";
    put(this.state, none);
    this.events.hidden = details.events.length === 0;
    this.events.replaceChildren(
      ...details.events.map(({ at_seconds, text }) => {
        const when = at_seconds > 0 ? new Date(at_seconds * 1000).toLocaleTimeString() : "";
        const line = element("li", "");
        line.append(element("time", "kubeai-card-faint", when), ` ${text}`);
        return line;
      }),
    );
    put(this.heading, details.problem || (details.pod === "" ? "" : trans.__("Log of %1", details.pod)));
    // Whoever has scrolled up reads there; whoever is at the end follows it.
    const follows = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 20;
    this.log.hidden = details.pod === "";
    putText(this.log, details.log || trans.__("It has written nothing so far."));
    if (follows) this.log.scrollTop = this.log.scrollHeight;
  }
}
