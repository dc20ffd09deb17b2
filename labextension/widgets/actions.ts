import { failure, isOver, underWay, type Asks, type Heard, type Wanted } from "../shared/ask";
import { button, element, putText, setBusy } from "../shared/dom";
import { QuestionPanel, type Question } from "./question";
import { trans } from "../shared/translate";
import type { Card, CardRemedy, RequestProgress } from "../shared/types";

/** Presses of − and + within this time are one request. */
const SETTLES_MS = 600;

/** The buttons of one card, what is asked before some of them act, and what became of it. */
export class ActionsView {
  readonly node = element("div", "kubeai-card-actions");
  /** Stands below the findings, and does not go when these are drawn anew. */
  readonly panel = new QuestionPanel();
  readonly outcome = element("p", "kubeai-card-outcome");
  private readonly buttons = element("div", "kubeai-buttons");
  private readonly less = button("−", trans.__("Fewer replicas"));
  private readonly count = element("span", "kubeai-card-count");
  private readonly more = button("+", trans.__("More replicas"));
  private readonly scale = element("span", "kubeai-card-scale");
  private readonly verbs: Record<"pause" | "resume" | "restart" | "delete", HTMLButtonElement> = {
    pause: button(trans.__("Pause")),
    resume: button(trans.__("Resume")),
    restart: button(trans.__("Restart")),
    delete: button(trans.__("Delete …")),
  };
  private readonly playground = button(trans.__("Playground"));
  private readonly undo = button(trans.__("Undo"));
  private card: Card | undefined;
  private wanted: number | undefined;
  private settling: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly asker: Asks) {
    this.scale.setAttribute("role", "group");
    this.scale.setAttribute("aria-label", trans.__("Replicas"));
    this.scale.append(trans.__("Replicas"), this.less, this.count, this.more);
    this.outcome.setAttribute("aria-live", "polite");
    this.undo.hidden = true;
    this.buttons.append(this.playground, this.scale, ...Object.values(this.verbs), this.undo);
    this.node.append(this.buttons);
    this.less.addEventListener("click", () => {
      this.step(-1);
    });
    this.more.addEventListener("click", () => {
      this.step(1);
    });
    for (const verb of ["pause", "resume", "restart"] as const) {
      this.verbs[verb].addEventListener("click", () => {
        this.run(this.meant({ verb }), this.verbs[verb]);
      });
    }
    this.playground.addEventListener("click", () => {
      this.run(this.meant({ verb: "show" }), this.playground);
    });
    this.verbs.delete.addEventListener("click", () => {
      this.askToDelete();
    });
  }

  /** Show what can be done now; `alive`: somebody would do it. */
  show(card: Card, alive: boolean): void {
    if (this.card !== undefined && this.card.uid !== card.uid) this.forget();
    this.card = card;
    const verbs = alive ? card.verbs : [];
    this.scale.hidden = !verbs.includes("scale");
    for (const [verb, node] of Object.entries(this.verbs)) node.hidden = !verbs.some((allowed) => allowed === verb);
    this.playground.hidden = !card.playground;
    putText(this.verbs.delete, this.confirms ? trans.__("Delete …") : trans.__("Delete"));
    this.node.hidden = verbs.length === 0;
    if (verbs.length === 0) this.panel.close();
    this.showCount();
    // A verb that is done takes its button away; whoever pressed that by keys goes on from here.
    const { activeElement } = document;
    if (this.node.contains(activeElement) && activeElement?.closest("[hidden]")) {
      Object.values(this.verbs).find((node) => !node.hidden)?.focus();
    }
  }

  /** Show what a Remedy would change, and ask whether it is to be done. */
  showRemedy(remedy: CardRemedy, pressed: HTMLButtonElement | undefined, before = ""): void {
    const wanted = this.meant({ verb: "fix", remedy_id: remedy.id });
    this.send({ ...wanted, dry_run: true }, pressed, (answer) => {
      if (answer.diff.length === 0) {
        this.tell(answer.note);
        return;
      }
      this.ask(wanted, {
        title: [before, answer.note].filter(Boolean).join(" "),
        lines: answer.diff,
        yes: trans.__("Apply"),
        onYes: () => {
          this.run({ ...wanted, resource_version: answer.resource_version }, undefined, (failed) => {
            // Somebody changed the Model since: what was agreed to is not what would be done.
            const [notice] = failed.notices;
            if (notice?.code === "ConflictError" && this.isShown(wanted)) this.showRemedy(remedy, undefined, notice.message);
          });
        },
      });
    });
  }

  stop(): void {
    clearTimeout(this.settling);
  }

  /** Of a Model that was made anew nothing holds that was asked about the one before: no question, no press that settles. */
  private forget(): void {
    clearTimeout(this.settling);
    this.wanted = undefined;
    this.undo.hidden = true;
    this.panel.close();
  }

  /** What is wanted of the Model that is shown now, and of no other that comes to have its name. */
  private meant(wanted: Wanted): Wanted {
    return { ...wanted, uid: this.card?.uid ?? "" };
  }

  private step(by: number): void {
    if (this.card === undefined) return;
    const before = this.card.replicas;
    this.wanted = Math.max(0, (this.wanted ?? before) + by);
    this.showCount();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      const replicas = this.wanted ?? before;
      if (replicas === before) this.wanted = undefined;
      else this.scaleTo(this.meant({ verb: "scale" }), replicas, before);
    }, SETTLES_MS);
  }

  private scaleTo(scale: Wanted, replicas: number, before: number): void {
    this.run({ ...scale, replicas }, undefined, undefined, () => {
      this.undo.hidden = replicas > 0 || !this.isShown(scale);
      this.undo.onclick = () => {
        this.undo.hidden = true;
        this.scaleTo(scale, before, replicas);
      };
    });
  }

  private showCount(): void {
    const count = this.wanted ?? this.card?.replicas ?? 0;
    putText(this.count, String(count));
    this.less.disabled = count === 0;
  }

  private askToDelete(): void {
    const name = this.card?.name ?? "";
    const wanted = this.meant({ verb: "delete" });
    this.send({ ...wanted, dry_run: true }, this.verbs.delete, (answer) => {
      const onYes = () => {
        this.run(wanted, this.verbs.delete);
      };
      const title = trans.__("Really delete %1? %2", name, answer.note);
      if (this.confirms) this.ask(wanted, { title, yes: trans.__("Delete %1", name), onYes });
      else onYes();
    });
  }

  private get confirms(): boolean {
    return this.asker.confirms?.() ?? true;
  }

  /** Ask it, where the Model that it is about is still the one that is shown. */
  private ask(wanted: Wanted, question: Question): void {
    this.tell("");
    if (this.isShown(wanted)) this.panel.ask(question);
  }

  private isShown(wanted: Wanted): boolean {
    return wanted.uid === this.card?.uid;
  }

  /** Have a verb done, and tell how it went; what somebody else served is changed only after another question. */
  private run(
    wanted: Wanted,
    pressed?: HTMLButtonElement,
    onFailed?: (answer: RequestProgress) => void,
    onDone?: () => void,
  ): void {
    this.send(
      wanted,
      pressed,
      (answer) => {
        this.tell(answer.note);
        onDone?.();
      },
      (answer) => {
        const notice = answer.notices[0];
        if (notice?.code === "NotYoursError") this.askAgain(wanted, notice.message, pressed);
        else onFailed?.(answer);
      },
    );
  }

  private askAgain(wanted: Wanted, title: string, pressed?: HTMLButtonElement): void {
    this.ask(wanted, {
      title,
      yes: trans.__("Do it all the same"),
      onYes: () => {
        this.run({ ...wanted, yes: true }, pressed);
      },
    });
  }

  private send(
    wanted: Wanted,
    pressed: HTMLButtonElement | undefined,
    onDone: (answer: RequestProgress) => void,
    onFailed?: (answer: RequestProgress) => void,
  ): void {
    setBusy(pressed, true);
    this.undo.hidden = true;
    this.asker.ask(wanted, (heard: Heard) => {
      if (!isOver(heard)) {
        this.tell(underWay(heard));
        return;
      }
      setBusy(pressed, false);
      if (wanted.verb === "scale") this.wanted = undefined;
      this.showCount();
      if (heard.state === "done") {
        onDone(heard);
        return;
      }
      this.tell(failure(heard), true);
      onFailed?.(heard);
    });
  }

  private tell(text: string, failed = false): void {
    this.outcome.classList.toggle("kubeai-card-failed", failed);
    putText(this.outcome, text);
  }
}

