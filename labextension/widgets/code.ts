import type { RenderProps } from "@anywidget/types";
import { Asking, heard, shown } from "./asking";
import { element, keepKeys, put } from "../shared/dom";
import type { CodeState, CodeTab } from "./form_types";

type Props = Pick<RenderProps<CodeState>, "model" | "el" | "signal">;

/**
 * The texts that the form stands for, a tab each. What is pasted over one of them fills the form; whoever has begun to
 * edit one pastes into it, and says when it is to be read.
 */
export default { render };

function render({ model, el, signal }: Props): void {
  const asking = new Asking(model, signal);
  const tellEdited = (tab: number | null) => {
    if (model.get("edited") === tab) return;
    model.set("edited", tab);
    model.save_changes();
  };
  const code = new Code((text) => {
    asking.send({ paste: text });
  }, tellEdited);
  el.append(code.node, asking.node);
  shown(model, signal, ["tabs"], () => {
    code.show(model.get("tabs"));
  });
  // An edit lives and ends with its editor.
  tellEdited(null);
  signal.addEventListener("abort", () => {
    tellEdited(null);
  });
  heard(model, signal, (message) => {
    if (typeof message !== "object" || message === null) return;
    if ("problem" in message) code.end(String(message.problem));
    if ("choices" in message && Array.isArray(message.choices)) {
      code.offer(message.choices.map(String), (place) => {
        asking.send({ choose: place });
      });
    }
    if ("focus" in message) code.focus();
  });
}

class Code {
  readonly node = element("section", "kubeai-form-code");
  private readonly list = element("div", "kubeai-form-tabs");
  private readonly panel = element("div", "kubeai-form-panel");
  private readonly summary = element("div", "kubeai-form-summary");
  private readonly editor = element("textarea", "");
  private readonly use = buttonOf("Fill the form with this");
  private readonly revert = buttonOf("Undo my edit");
  private readonly copy = buttonOf("Copy");
  private readonly reason = element("p", "kubeai-form-message");
  private readonly problem = element("p", "kubeai-form-message");
  private readonly choices = element("div", "kubeai-form-actions");
  private readonly id = `kubeai-code-${String(++count)}`;
  private tabs: readonly CodeTab[] = [];
  private chosen = 0;
  private edited = false;

  constructor(
    private readonly paste: (text: string) => void,
    private readonly tellEdited: (tab: number | null) => void,
  ) {
    this.node.setAttribute("aria-label", "What this form stands for");
    keepKeys(this.node);
    this.list.setAttribute("role", "tablist");
    this.panel.setAttribute("role", "tabpanel");
    this.panel.id = this.id;
    this.editor.spellcheck = false;
    this.use.classList.add("kubeai-form-primary");
    this.summary.tabIndex = 0;
    this.problem.setAttribute("role", "alert");
    this.problem.dataset.severity = "error";
    this.problem.hidden = true;
    const buttons = element("div", "kubeai-form-actions");
    this.copy.dataset.worksAlone = "true";
    buttons.append(this.copy, this.use, this.revert);
    this.reason.dataset.severity = "info";
    this.panel.append(this.reason, this.summary, this.editor, this.problem, this.choices, buttons);
    this.node.append(this.list, this.panel);
    this.listen();
  }

  show(tabs: readonly CodeTab[]): void {
    this.tabs = tabs;
    if (this.list.children.length !== tabs.length) {
      this.list.replaceChildren(...tabs.map((tab, index) => this.tabNode(tab, index)));
    }
    if (!this.edited) this.draw();
  }

  /** The kernel has read a text; `problem` says why it could not. */
  end(problem: string): void {
    put(this.problem, problem);
    this.choices.replaceChildren();
    if (problem !== "") return;
    this.setEdited(false);
    this.draw();
  }

  /** A text holds several Models: a button for the name of each. */
  offer(names: readonly string[], choose: (place: number) => void): void {
    const buttons = names.map((name, place) => {
      const button = buttonOf(name);
      button.addEventListener("click", () => {
        choose(place);
      });
      return button;
    });
    this.choices.replaceChildren(...buttons);
    buttons[0]?.focus();
  }

  focus(): void {
    this.editor.focus();
    this.editor.scrollIntoView({ block: "center" });
  }

  private setEdited(edited: boolean): void {
    this.edited = edited;
    this.tellEdited(edited ? this.chosen : null);
    this.drawButtons();
  }

  private listen(): void {
    this.list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.choose((this.chosen + step + this.tabs.length) % this.tabs.length);
      (this.list.children[this.chosen] as HTMLElement).focus();
    });
    this.editor.addEventListener("input", () => {
      this.choices.replaceChildren();
      this.setEdited(true);
    });
    this.editor.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.paste(this.editor.value);
    });
    this.editor.addEventListener("paste", (event) => {
      event.stopPropagation();
      if (this.edited || this.editor.readOnly) return;
      event.preventDefault();
      this.editor.value = event.clipboardData?.getData("text/plain") ?? "";
      this.setEdited(true);
      this.paste(this.editor.value);
    });
    this.use.addEventListener("click", () => {
      this.paste(this.editor.value);
    });
    this.revert.addEventListener("click", () => {
      this.end("");
      this.editor.focus();
    });
    this.copy.addEventListener("click", () => {
      const text = this.summary.hidden ? this.editor.value : this.summary.innerText;
      void this.copied(text);
    });
  }

  private async copied(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.copy.textContent = "Copied";
    } catch {
      // Without https a page has no clipboard at all.
      this.editor.select();
      put(this.problem, "This page may not write to the clipboard: the text is selected, press Ctrl+C.");
    }
  }

  private tabNode(tab: CodeTab, index: number): HTMLElement {
    const node = element("button", "", tab.title);
    node.type = "button";
    node.setAttribute("role", "tab");
    node.setAttribute("aria-controls", this.id);
    node.addEventListener("click", () => {
      this.choose(index);
    });
    return node;
  }

  private choose(index: number): void {
    this.chosen = index;
    this.end("");
  }

  private draw(): void {
    const tab = this.tabs[this.chosen];
    if (tab === undefined) return;
    for (const [index, node] of Array.from(this.list.children).entries()) {
      node.setAttribute("aria-selected", String(index === this.chosen));
      (node as HTMLElement).tabIndex = index === this.chosen ? 0 : -1;
    }
    this.panel.setAttribute("aria-label", tab.title);
    this.editor.setAttribute("aria-label", `${tab.title}: paste over it to fill the form`);
    this.editor.placeholder = `Paste ${tab.title} here to fill the form`;
    put(this.reason, tab.reason);
    this.summary.hidden = tab.editable;
    this.editor.hidden = !tab.editable;
    const shownBy = tab.editable ? this.editor : this.summary;
    if (tab.editable && this.editor.value !== tab.text) this.editor.value = tab.text;
    if (!tab.editable && shownBy.textContent !== tab.text) shownBy.textContent = tab.text;
    this.editor.rows = Math.min(24, Math.max(4, tab.text.split("\n").length + 1));
    this.drawButtons();
  }

  private drawButtons(): void {
    this.copy.textContent = "Copy";
    this.copy.hidden = !this.edited && this.tabs[this.chosen]?.text === "";
    this.use.hidden = this.revert.hidden = !this.edited;
  }
}
let count = 0;

function buttonOf(title: string): HTMLButtonElement {
  const node = element("button", "kubeai-form-button", title);
  node.type = "button";
  return node;
}
