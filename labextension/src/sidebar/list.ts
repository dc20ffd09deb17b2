import { WindowedLayout, WindowedList, WindowedListModel } from "@jupyterlab/ui-components";
import { Widget } from "@lumino/widgets";
import { element, iconOf, putText } from "../../shared/dom";
import { trans } from "../../shared/translate";
import type { ModelRow } from "../../shared/types";
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
    return indexIn(this.items, name);
  }

  set(items: readonly Item[]): void {
    this.items = items;
    // A list that knows all heights draws no row to measure it.
    this.setWidgetSize(items.map((_, index) => ({ index, size: HEIGHT })));
    this.widgetCount = items.length;
    for (const [index, view] of this.views) if (view.isAttached) this.draw(index, view);
  }

  /**
   * Forget the views that are not in the page. None is disposed: a layout that has let a widget go already takes another
   * one out, its last.
   */
  prune(): void {
    for (const [index, view] of this.views) if (!view.isAttached) this.views.delete(index);
  }

  private draw(index: number, view: RowView): void {
    const item = this.items[index];
    if (item !== undefined) view.draw(item);
  }
}

function indexIn(items: readonly Item[], name: string): number {
  return items.findIndex((item) => item.kind === "row" && item.row.name === name);
}

/** A row that goes out of the page leaves the focus to its list; a row that comes may take it. */
class RowsLayout extends WindowedLayout {
  constructor(
    private readonly goes: (node: HTMLElement) => void,
    private readonly come: () => void,
  ) {
    super();
  }

  protected override attachWidget(index: number, widget: Widget): void {
    super.attachWidget(index, widget);
    this.come();
  }

  protected override detachWidget(index: number, widget: Widget): void {
    this.goes(widget.node);
    super.detachWidget(index, widget);
  }
}

/** The Models by phase. Tab goes to one row of them, arrows, Home and End to the others. */
export class ModelList extends WindowedList {
  private current = "";
  private holding = false;

  constructor(
    private readonly open: (name: string) => void,
    private readonly rows = new Rows(open),
  ) {
    const layout = new RowsLayout(
      (node) => {
        if (node.contains(document.activeElement)) this.hold();
      },
      () => {
        this.take();
      },
    );
    super({ model: rows, layout });
    this.addClass("kubeai-sidebar-list");
    // What stands above it grows and goes without a word from Lumino, and so its height changes.
    const observer = new ResizeObserver(() => {
      this.processMessage(Widget.ResizeMessage.UnknownSize);
    });
    observer.observe(this.node);
    this.disposed.connect(() => {
      observer.disconnect();
    });
    this.node.tabIndex = 0;
    this.node.setAttribute("role", "group");
    this.node.setAttribute("aria-label", trans.__("Models"));
    this.node.dataset.lmSuppressShortcuts = "true";
    this.node.addEventListener("keydown", (event) => {
      this.pressed(event);
    });
    this.node.addEventListener("focus", () => {
      if (!this.holding) this.focusOn(this.current);
    });
    this.node.addEventListener("focusin", ({ target }) => {
      // Else Shift+Tab would go from a row to its list, which gives the focus back.
      this.node.tabIndex = -1;
      if (target instanceof HTMLElement) this.current = target.dataset.name ?? this.current;
    });
    this.node.addEventListener("focusout", () => {
      this.node.tabIndex = 0;
    });
  }

  draw(groups: readonly Group[]): void {
    const items = groups.flatMap(({ phase, models }): Item[] => [
      { kind: "heading", text: `${phase} (${String(models.length)})` },
      ...models.map(({ row }): Item => ({ kind: "row", row })),
    ]);
    const { names } = this.rows;
    const place = this.rows.indexOf(this.current);
    // A row is a place, and another Model may stand there now.
    if (indexIn(items, this.current) !== place && this.node.contains(document.activeElement)) this.hold();
    this.rows.set(items);
    if (this.rows.indexOf(this.current) < 0) {
      const others = this.rows.names;
      this.current = others[Math.min(Math.max(0, names.indexOf(this.current)), others.length - 1)] ?? "";
    }
    this.take();
  }

  focusOn(name: string): void {
    const index = this.rows.indexOf(name);
    if (index < 0) return;
    this.current = name;
    // While it was hidden, the browser took its height and its place away.
    this.processMessage(Widget.ResizeMessage.UnknownSize);
    this.viewModel.scrollOffset = this.outerNode.scrollTop;
    this.hold();
    // It fails where another row is wanted before it has come to this one.
    this.scrollToItem(index).catch(() => undefined);
    this.take();
  }

  protected override onUpdateRequest(message: Parameters<Widget["processMessage"]>[0]): void {
    super.onUpdateRequest(message);
    this.rows.prune();
  }

  /** Have the focus, until the row that it is meant for is in the page. */
  private hold(): void {
    this.holding = true;
    this.node.focus({ preventScroll: true });
    this.holding = false;
  }

  private take(): void {
    if (document.activeElement !== this.node) return;
    this.node.querySelector<HTMLElement>(`button[data-name="${CSS.escape(this.current)}"]`)?.focus({ preventScroll: true });
  }

  private pressed(event: KeyboardEvent): void {
    if (event.key === "Enter" && event.target === this.node) {
      // Else the same key would press the button that has the focus then.
      event.preventDefault();
      this.open(this.current);
      return;
    }
    const { names } = this.rows;
    const at = names.indexOf(this.current);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const name = names[to];
    if (name !== undefined) this.focusOn(name);
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
    // The space is for whoever has the row read out.
    this.button.append(this.icon, this.name, " ", this.ready);
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
    this.button.title = [row.name, row.phase, row.problem].filter(Boolean).join(": ");
    putText(this.name, row.name);
    putText(this.ready, ready);
  }
}
