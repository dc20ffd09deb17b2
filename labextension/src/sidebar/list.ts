import { WindowedLayout, WindowedList, WindowedListModel } from "@jupyterlab/ui-components";
import { Widget } from "@lumino/widgets";
import { element, iconOf, putText } from "../../widgets/dom";
import type { ModelRow } from "../../widgets/types";
import type { Group } from "./store";

const HEIGHT = 30;
type Item = { kind: "heading"; text: string } | { kind: "row"; row: ModelRow };

/** Rows of one height, each drawn by its place: only those that are seen are in the page. */
class Rows extends WindowedListModel {
  private items: readonly Item[] = [];
  private readonly views = new Map<number, RowView>();

  constructor(private readonly open: (name: string) => void) {
    super({ overscanCount: 4 });
  }

  estimateWidgetSize = () => HEIGHT;

  widgetRenderer = (index: number): Widget => {
    const view = this.views.get(index) ?? new RowView(this.open);
    this.views.set(index, view);
    this.draw(index, view);
    return view;
  };

  get names(): string[] {
    return this.items.flatMap((item) => (item.kind === "row" ? [item.row.name] : []));
  }

  indexOf(name: string): number {
    return this.items.findIndex((item) => item.kind === "row" && item.row.name === name);
  }

  set(items: readonly Item[]): void {
    this.items = items;
    this.widgetCount = items.length;
    for (const [index, view] of this.views) if (view.isAttached) this.draw(index, view);
  }

  /** Forget the views that are not in the page. */
  prune(): void {
    for (const [index, view] of this.views) {
      if (view.isAttached) continue;
      this.views.delete(index);
      view.dispose();
    }
  }

  private draw(index: number, view: RowView): void {
    const item = this.items[index];
    if (item !== undefined) view.draw(item);
  }
}

/** The Models by phase. Tab goes to one row of them, arrows, Home and End to the others. */
export class ModelList extends WindowedList {
  private current = "";

  constructor(open: (name: string) => void, private readonly rows = new Rows(open)) {
    super({ model: rows, layout: new WindowedLayout() });
    this.addClass("kubeai-sidebar-list");
    // What stands above it grows and goes without a word from Lumino, and so its height changes.
    const observer = new ResizeObserver(() => {
      this.processMessage(Widget.ResizeMessage.UnknownSize);
    });
    observer.observe(this.node);
    this.disposed.connect(() => {
      observer.disconnect();
    });
    this.node.setAttribute("role", "group");
    this.node.setAttribute("aria-label", "Models");
    this.node.dataset.lmSuppressShortcuts = "true";
    this.node.addEventListener("keydown", (event) => {
      this.pressed(event);
    });
    this.node.addEventListener("focusin", (event) => {
      if (event.target instanceof HTMLElement) this.setCurrent(event.target.dataset.name ?? "");
    });
  }

  draw(groups: readonly Group[]): void {
    const hadFocus = this.node.contains(document.activeElement);
    this.rows.set(
      groups.flatMap(({ phase, models }): Item[] => [
        { kind: "heading", text: `${phase} (${String(models.length)})` },
        ...models.map(({ row }): Item => ({ kind: "row", row })),
      ]),
    );
    if (this.rows.indexOf(this.current) < 0) this.current = this.rows.names[0] ?? "";
    this.setCurrent(this.current);
    // A row is a place, and another Model may stand there now.
    const focused = document.activeElement;
    if (hadFocus && !(focused instanceof HTMLElement && focused.dataset.name === this.current)) void this.focusOn(this.current);
  }

  async focusOn(name: string): Promise<void> {
    const index = this.rows.indexOf(name);
    if (index < 0) return;
    this.setCurrent(name);
    await this.scrollToItem(index);
    this.node.querySelector<HTMLElement>(`button[data-name="${CSS.escape(name)}"]`)?.focus();
  }

  protected override onUpdateRequest(message: Parameters<Widget["processMessage"]>[0]): void {
    super.onUpdateRequest(message);
    this.setCurrent(this.current);
    this.rows.prune();
  }

  private setCurrent(name: string): void {
    if (name !== "") this.current = name;
    for (const one of this.node.querySelectorAll<HTMLButtonElement>("button[data-name]")) {
      one.tabIndex = one.dataset.name === this.current ? 0 : -1;
    }
    // The row that Tab goes to may be scrolled away.
    const buttons = [...this.node.querySelectorAll<HTMLButtonElement>("button[data-name]")];
    if (!buttons.some((one) => one.tabIndex === 0) && buttons[0] !== undefined) buttons[0].tabIndex = 0;
  }

  private pressed(event: KeyboardEvent): void {
    const { names } = this.rows;
    const at = names.indexOf(this.current);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const name = names[to];
    if (name !== undefined) void this.focusOn(name);
  }
}

class RowView extends Widget {
  private readonly heading = element("h3", "");
  private readonly button = element("button", "kubeai-sidebar-model");
  private readonly icon = element("span", "kubeai-models-icon");
  private readonly name = element("span", "kubeai-sidebar-name");
  private readonly ready = element("span", "kubeai-sidebar-ready");
  private tone = "";

  constructor(open: (name: string) => void) {
    super();
    this.addClass("kubeai-sidebar-item");
    this.button.type = "button";
    this.button.append(this.icon, this.name, this.ready);
    this.button.addEventListener("click", () => {
      open(this.button.dataset.name ?? "");
    });
  }

  draw(item: Item): void {
    const part = item.kind === "heading" ? this.heading : this.button;
    if (part.parentElement !== this.node) this.node.replaceChildren(part);
    if (item.kind === "heading") {
      putText(this.heading, item.text);
      return;
    }
    const { row } = item;
    if (this.tone !== row.tone) {
      this.tone = row.tone;
      this.button.dataset.tone = row.tone;
      this.icon.replaceChildren(iconOf(row.tone));
    }
    const ready = `${String(row.ready)}/${String(row.desired)}`;
    this.button.dataset.name = row.name;
    this.button.title = [row.name, row.problem].filter(Boolean).join(": ");
    this.button.setAttribute("aria-label", `${row.name} ${ready}, ${row.phase}`);
    putText(this.name, row.name);
    putText(this.ready, ready);
  }
}
