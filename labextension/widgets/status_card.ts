import type { InitializeProps, RenderProps } from "@anywidget/types";
import { element, iconOf, putText, put } from "./dom";
import type { Card, CardFact, CardFinding, CardRemedy } from "./types";
import { KernelClock, linkText, sinceText } from "./words";

interface State {
  card: Card;
}

/** Called once for each widget; `render` once for each place where it is shown. */
export default () => {
  const clock = new KernelClock();
  return {
    initialize({ model }: Pick<InitializeProps<State>, "model">): () => void {
      const received = () => {
        clock.set(model.get("card"));
      };
      received();
      model.on("change:card", received);
      return () => {
        model.off("change:card", received);
      };
    },
    render: (props: Pick<RenderProps<State>, "model" | "el">) => render(props, clock),
  };
};

function render({ model, el }: Pick<RenderProps<State>, "model" | "el">, clock: KernelClock): () => void {
  const view = new StatusCardView(clock);
  let disconnected = false;
  const show = () => {
    view.show(model.get("card"), disconnected);
  };
  // ipywidgets sets a model live once, before it is rendered: what comes later is its end.
  const lose = () => {
    disconnected = true;
    show();
  };
  el.append(view.node);
  show();
  model.on("change:card", show);
  model.on("comm_live_update", lose);
  const ticking = setInterval(() => {
    view.tick();
  }, 1000);
  return () => {
    clearInterval(ticking);
    model.off("change:card", show);
    model.off("comm_live_update", lose);
  };
}

/** The nodes of one card: made once, then only what changed is written. */
class StatusCardView {
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
  private readonly polite = element("div", "kubeai-card-said");
  private readonly urgent = element("div", "kubeai-card-said");
  private readonly drawn = new Map<HTMLElement, string>();
  private card: Card | undefined;
  private disconnected = false;

  constructor(private readonly clock: KernelClock) {
    const phase = element("span", "kubeai-card-phase");
    phase.append(this.icon, this.word, this.elapsed);
    const title = element("div", "kubeai-card-title");
    title.append(this.name, this.namespace);
    const head = element("header", "kubeai-card-head");
    head.append(title, phase);

    this.bar.setAttribute("role", "progressbar");
    this.bar.setAttribute("aria-label", "Progress");
    this.bar.append(element("div", "kubeai-card-done"));
    this.progress.append(this.bar, this.percent);
    // A screen reader hears a phase once, not the seconds nor each percent.
    this.polite.setAttribute("role", "status");
    this.polite.setAttribute("aria-live", "polite");
    this.urgent.setAttribute("role", "alert");
    this.urgent.setAttribute("aria-live", "assertive");
    this.node.append(head, this.link, this.detail, this.next, this.progress, this.findings, this.facts);
    this.node.append(this.note, this.polite, this.urgent);
  }

  show(card: Card, disconnected: boolean): void {
    this.card = card;
    this.disconnected = disconnected || card.link === "closed";
    this.node.dataset.tone = card.tone;
    this.node.setAttribute("aria-label", `Model ${card.name}`);
    this.draw(this.icon, [card.tone], iconOf);
    putText(this.name, card.name);
    putText(this.namespace, card.where || card.namespace);
    putText(this.word, card.phase);
    put(this.detail, card.detail);
    put(this.next, card.next_step);
    put(this.note, card.note);
    this.showProgress(card);
    this.draw(this.facts, card.facts, factNode);
    this.draw(this.findings, card.findings, findingNode);
    const urgent = card.tone === "bad";
    putText(this.urgent, urgent ? card.announcement : "");
    putText(this.polite, urgent ? "" : card.announcement);
    this.tick();
  }

  tick(): void {
    if (this.card === undefined) return;
    const now = this.clock.now();
    this.node.classList.toggle("kubeai-card-closed", this.disconnected);
    if (this.disconnected) {
      put(this.link, "No longer followed. Run the cell again to follow it.");
      return;
    }
    putText(this.elapsed, sinceText(this.card.phase_since_seconds, now));
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

function findingNode(finding: CardFinding): HTMLElement {
  const node = element("article", "kubeai-card-finding");
  node.append(element("h4", "", finding.message));
  if (finding.evidence !== "") {
    const evidence = element("pre", "", finding.evidence);
    evidence.tabIndex = 0;
    evidence.setAttribute("aria-label", "Evidence");
    evidence.setAttribute("role", "region");
    node.append(evidence);
  }
  if (finding.remedies.length > 0) {
    const remedies = element("ol", "");
    remedies.append(...finding.remedies.map(remedyNode));
    node.append(remedies);
  }
  return node;
}

function remedyNode(remedy: CardRemedy): HTMLElement {
  const node = element("li", "", remedy.how === "" ? remedy.title : `${remedy.title} (${remedy.how})`);
  node.value = remedy.number;
  return node;
}
