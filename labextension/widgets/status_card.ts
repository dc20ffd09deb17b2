import type { InitializeProps, RenderProps } from "@anywidget/types";
import { ActionsView } from "./actions";
import { Asker, isOver, type Asks } from "../shared/ask";
import { DetailsView } from "./details";
import { atEnd, button, copyable, element, iconOf, isSeen, keepKeys, put, putText } from "../shared/dom";
import { follow, type LiveView } from "./live_view";
import { reconnectNode } from "./reconnect";
import { trans } from "../shared/translate";
import type { Card, CardFact, CardFinding, CardRemedy, CardStep } from "../shared/types";
import { KernelClock, lengthText, linkText, sinceText, stepText } from "../shared/words";

// No interface: anywidget's model wants one with an index.
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
type State = { card: Card };
interface Ends {
  signal?: AbortSignal;
}

/** How often it is asked for how long nobody has used a Model that is ready. */
const IDLE_MS = 60_000;

/** Called once for each widget; `render` once for each place where it is shown. */
export default () => {
  const clock = new KernelClock();
  return {
    initialize({ model, signal }: Pick<InitializeProps<State>, "model"> & Ends) {
      const received = () => {
        clock.set(model.get("card"));
      };
      received();
      model.on("change:card", received);
      return atEnd(signal, () => {
        model.off("change:card", received);
      });
    },
    render: (props: Pick<RenderProps<State>, "model" | "el"> & Ends) => render(props, clock),
  };
};

function render({ model, el, signal }: Pick<RenderProps<State>, "model" | "el"> & Ends, clock: KernelClock) {
  const view = new StatusCardView(clock, new Asker(model));
  return follow({ model, el, signal }, "card", view, () => {
    view.show(model.get("card"));
  });
}

/** What is folded below a card: its own Events and log, or a host's. */
type Details = Pick<DetailsView, "node" | "stop">;

/** The nodes of one card: made once, then only what changed is written. */
export class StatusCardView implements LiveView {
  readonly node = element("section", "kubeai-card");
  private readonly name = element("span", "kubeai-card-name");
  private readonly namespace = element("span", "kubeai-card-namespace");
  private readonly icon = element("span", "kubeai-card-icon");
  private readonly word = element("span", "kubeai-card-word");
  private readonly elapsed = element("span", "kubeai-card-elapsed");
  private readonly detail = element("p", "kubeai-card-detail");
  private readonly next = element("p", "kubeai-card-next");
  private readonly note = element("p", "kubeai-card-note");
  private readonly progress = element("div", "kubeai-card-progress");
  private readonly bar = element("div", "kubeai-card-bar");
  private readonly percent = element("span", "kubeai-card-percent");
  private readonly facts = element("dl", "kubeai-card-facts");
  private readonly findings = element("div", "kubeai-card-findings");
  private readonly link = element("p", "kubeai-card-link");
  private readonly reconnect = element("div", "kubeai-card-reconnect");
  private readonly steps = element("ol", "kubeai-card-steps");
  private readonly idle = element("p", "kubeai-card-idle");
  private readonly fresh = element("p", "kubeai-card-fresh");
  private readonly polite = element("div", "kubeai-card-said");
  private readonly urgent = element("div", "kubeai-card-said");
  private readonly drawn = new Map<HTMLElement, string>();
  private card: Card | undefined;
  private lost = false;
  private readonly idling: ReturnType<typeof setInterval>;
  private readonly actions: ActionsView;

  constructor(
    private readonly clock: Pick<KernelClock, "now">,
    private readonly asker: Asks,
    private readonly details: Details = new DetailsView(asker),
  ) {
    this.actions = new ActionsView(asker);
    const phase = element("span", "kubeai-card-phase");
    phase.append(this.icon, this.word, this.elapsed);
    const title = element("div", "kubeai-card-title");
    title.append(this.name, this.namespace);
    const head = element("header", "kubeai-card-head");
    head.append(title, phase);

    this.bar.setAttribute("role", "progressbar");
    this.bar.setAttribute("aria-label", trans.__("Progress"));
    this.bar.append(element("div", "kubeai-card-done"));
    this.progress.append(this.bar, this.percent);
    // A screen reader hears a phase once, not the seconds nor each percent.
    this.polite.setAttribute("role", "status");
    this.polite.setAttribute("aria-live", "polite");
    this.urgent.setAttribute("role", "alert");
    this.urgent.setAttribute("aria-live", "assertive");
    keepKeys(this.node);
    this.steps.setAttribute("aria-label", trans.__("Steps of its start"));
    this.node.append(head, this.link, this.reconnect, this.steps, this.detail, this.next, this.progress);
    this.node.append(this.findings, this.actions.panel.node, this.actions.outcome, this.facts, this.idle);
    this.node.append(this.actions.node, this.details.node, this.note, this.fresh, this.polite, this.urgent);
    put(this.idle, "");
    this.idling = setInterval(() => {
      this.askIdle();
    }, IDLE_MS);
  }

  lose(): void {
    this.lost = true;
    if (this.card !== undefined) this.show(this.card);
  }

  private get disconnected(): boolean {
    return this.lost || this.card?.link === "closed";
  }

  stop(): void {
    clearInterval(this.idling);
    this.asker.stop();
    this.actions.stop();
    this.details.stop();
  }

  /** Ask for how long nobody has used a Model that is ready; what is not known is not shown. */
  private askIdle(): void {
    if (this.disconnected || this.card?.phase !== "Ready" || !isSeen(this.node)) return;
    this.asker.ask({ verb: "idle" }, (heard) => {
      if (isOver(heard)) put(this.idle, heard.note === "" ? "" : trans.__("Idle for %1", heard.note));
    });
  }

  show(card: Card): void {
    this.card = card;
    this.node.dataset.tone = card.tone;
    this.node.setAttribute("aria-label", trans.__("Model %1", card.name));
    this.draw(this.icon, [card.tone], iconOf);
    putText(this.name, card.name);
    putText(this.namespace, card.where || card.namespace);
    putText(this.word, card.phase);
    put(this.detail, card.detail);
    put(this.next, card.next_step);
    put(this.note, card.note);
    this.showProgress(card);
    this.draw(this.facts, card.facts, factNode);
    const alive = !this.disconnected;
    this.draw(this.steps, card.steps, stepNode);
    this.drawFindings(card, alive);
    this.actions.show(card, alive);
    this.details.node.hidden = !alive || card.phase === "Deleted";
    if (card.phase !== "Ready" || !alive) put(this.idle, "");
    this.reconnect.hidden = alive;
    if (!alive && this.reconnect.childElementCount === 0) this.reconnect.append(...reconnectNode(card));
    const urgent = card.tone === "bad";
    putText(this.urgent, urgent ? card.announcement : "");
    putText(this.polite, urgent ? "" : card.announcement);
    this.tick();
  }

  tick(): void {
    if (this.card === undefined) return;
    const now = this.clock.now();
    this.node.classList.toggle("kubeai-card-closed", this.disconnected);
    const ago = trans.__("Live; last change %1 ago", lengthText(now - this.card.sent_at_seconds));
    put(this.fresh, this.disconnected || this.card.link !== "live" ? "" : ago);
    if (this.disconnected) {
      put(this.link, trans.__("No longer followed. Run the cell again to follow it."));
      return;
    }
    putText(this.elapsed, sinceText(this.card.phase_since_seconds, now));
    for (const [index, step] of this.card.steps.entries()) {
      const taken = this.steps.children[index]?.querySelector<HTMLElement>(".kubeai-card-taken");
      if (taken) putText(taken, stepText(step, this.card.phase_since_seconds, now));
    }
    put(this.link, linkText(this.card, now));
  }

  /** Make the nodes of a list anew where it has changed, so that a selection in them stays. */
  private draw<Item>(node: HTMLElement, items: readonly Item[], nodeOf: (item: Item) => Element): void {
    const wanted = JSON.stringify(items);
    if (this.drawn.get(node) === wanted) return;
    this.drawn.set(node, wanted);
    node.hidden = items.length === 0;
    node.replaceChildren(...items.map((item) => nodeOf(item)));
  }

  /** As `draw`: a fix is a button as long as somebody would apply it, and else the line that does. */
  private drawFindings(card: Card, alive: boolean): void {
    const canFix = alive && card.verbs.length > 0;
    this.draw(
      this.findings,
      card.findings.map((finding) => ({ finding, canFix })),
      ({ finding }) => findingNode(finding, canFix ? (remedy, pressed) => {
        this.actions.showRemedy(remedy, pressed);
      } : undefined),
    );
  }

  private showProgress(card: Card): void {
    this.progress.hidden = card.progress === null;
    if (card.progress === null) return;
    const percent = Math.round(Math.min(1, Math.max(0, card.progress)) * 100);
    this.bar.setAttribute("aria-valuenow", String(percent));
    this.bar.style.setProperty("--kubeai-done", `${String(percent)}%`);
    putText(this.percent, `${String(percent)} %`);
  }
}

function factNode(fact: CardFact): HTMLElement {
  const node = element("div", "kubeai-card-fact");
  node.append(element("dt", "", fact.label), element("dd", "", fact.value));
  return node;
}

const SIGNS: Record<CardStep["state"], string> = { over: "✓", now: "●", failed: "✗", next: "○" };

function stepNode(step: CardStep): HTMLElement {
  const node = element("li", `kubeai-card-step-${step.state}`);
  const sign = element("span", "kubeai-card-sign", SIGNS[step.state]);
  sign.setAttribute("aria-hidden", "true");
  if (step.state === "now" || step.state === "failed") node.setAttribute("aria-current", "step");
  node.append(sign, element("span", "", step.phase), element("span", "kubeai-card-taken"));
  return node;
}

type OnFix = (remedy: CardRemedy, pressed: HTMLButtonElement) => void;

function findingNode(finding: CardFinding, onFix?: OnFix): HTMLElement {
  const node = element("article", "kubeai-card-finding");
  node.append(element("h4", "", finding.message));
  if (finding.evidence !== "") {
    const evidence = element("pre", "", finding.evidence);
    evidence.tabIndex = 0;
    evidence.setAttribute("aria-label", trans.__("Evidence"));
    evidence.setAttribute("role", "region");
    node.append(evidence);
  }
  if (finding.remedies.length > 0) {
    const remedies = element("ol", "");
    remedies.append(...finding.remedies.map((remedy) => remedyNode(remedy, onFix)));
    node.append(remedies);
  }
  return node;
}

/** A change is a button that shows it first, a command is a line to copy, advice is a sentence. */
function remedyNode(remedy: CardRemedy, onFix?: OnFix): HTMLElement {
  const node = element("li", "", remedy.title);
  node.value = remedy.number;
  if (remedy.kind === "change" && onFix !== undefined) {
    const show = button(trans.__("Show the change"), trans.__("Show the change of fix %1", remedy.number));
    show.addEventListener("click", () => {
      onFix(remedy, show);
    });
    node.append(" ", show);
  } else if (remedy.how !== "") {
    node.append(" ", copyable(remedy.how));
  }
  return node;
}
