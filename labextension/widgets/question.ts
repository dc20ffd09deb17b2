import { button, element } from "../shared/dom";
import { trans } from "../shared/translate";

/** What is asked before something is done: what it would change or take away, and two buttons. */
export interface Question {
  title: string;
  lines?: readonly string[];
  yes: string;
  onYes: () => void;
}

/**
 * The place of one question at a time; the button that keeps all as it is has the focus. A question stays until it is
 * answered, or until its Model is gone: one with a time limit would end while somebody still reads or hears it.
 */
export class QuestionPanel {
  readonly node = element("div", "kubeai-panel");
  private asked: Element | null = null;

  constructor() {
    this.node.setAttribute("role", "group");
    this.node.hidden = true;
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  ask({ title, lines = [], yes, onYes }: Question): void {
    const diff = element("ul", "kubeai-diff");
    diff.append(...lines.map((line) => element("li", "", line)));
    diff.hidden = lines.length === 0;
    const act = button(yes);
    const keep = button(trans.__("Keep as it is"));
    act.addEventListener("click", () => {
      this.close();
      onYes();
    });
    keep.addEventListener("click", () => {
      this.close();
    });
    const row = element("div", "kubeai-buttons");
    row.append(act, keep);
    if (this.node.hidden) this.asked = document.activeElement;
    this.node.setAttribute("aria-label", title);
    this.node.replaceChildren(element("p", "kubeai-question", title), diff, row);
    this.node.hidden = false;
    keep.focus();
  }

  /** Take the question away, and give the focus back where it came from. */
  close(): void {
    if (this.node.hidden) return;
    const hadFocus = this.node.contains(document.activeElement);
    this.node.hidden = true;
    this.node.replaceChildren();
    if (hadFocus && this.asked instanceof HTMLElement) this.asked.focus();
  }
}
