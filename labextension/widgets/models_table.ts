import type { RenderProps } from "@anywidget/types";
import { Asker, failure, isOver, underWay, type Wanted } from "../shared/ask";
import { button, element, iconOf, keepKeys, put, putText, setBusy } from "../shared/dom";
import { follow, type LiveView } from "./live_view";
import { QuestionPanel, type Question } from "./question";
import type { ModelRow, ModelsTable, Request } from "../shared/types";
import { KernelClock, linkText, sinceText } from "../shared/words";

// No interface: anywidget's model wants one with an index.
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
type State = { table: ModelsTable };

const HEADS = ["Name", "Phase", "Ready", "Engine", "Profile", "Age", "What is wrong", ""];

export default () => ({
  render({ model, el, signal }: Pick<RenderProps<State>, "model" | "el"> & { signal?: AbortSignal }) {
    const view = new TableView(new Asker(model));
    return follow({ model, el, signal }, "table", view, () => {
      view.show(model.get("table"));
    });
  },
});

/** The rows by their names: what stays is written into, so a focus and a selection stay too. */
class TableView implements LiveView {
  readonly node = element("section", "kubeai-models");
  private readonly link = element("p", "kubeai-models-link");
  private readonly body = element("tbody", "");
  private readonly table = element("table", "");
  private readonly none = element("p", "", "There are no Models.");
  private readonly where = element("p", "kubeai-models-where");
  private readonly outcome = element("p", "kubeai-models-outcome");
  private readonly panel = new QuestionPanel();
  /** Below the row whose button was pressed last: what is asked of its Model, and what became of it. */
  private readonly aside = element("tr", "kubeai-models-aside");
  private readonly rows = new Map<string, RowView>();
  private readonly clock = new KernelClock();
  private shown: ModelsTable | undefined;
  private lost = false;

  constructor(private readonly asker: Asker<State>) {
    const head = element("tr", "");
    head.append(
      ...HEADS.map((title) => {
        const cell = element("th", "", title);
        cell.scope = "col";
        cell.setAttribute("role", "columnheader");
        return cell;
      }),
    );
    const heading = element("thead", "");
    heading.append(head);
    this.table.append(heading, this.body);
    // Narrow, its rows are laid out as lines, and browsers then take a table for none.
    this.table.setAttribute("role", "table");
    for (const group of [heading, this.body]) group.setAttribute("role", "rowgroup");
    for (const row of [head, this.aside]) row.setAttribute("role", "row");
    this.node.setAttribute("aria-label", "Models");
    keepKeys(this.node);
    this.outcome.setAttribute("aria-live", "polite");
    this.body.addEventListener("keydown", (event) => {
      this.move(event);
    });
    const cell = element("td", "");
    cell.colSpan = HEADS.length;
    cell.setAttribute("role", "cell");
    cell.append(this.panel.node, this.outcome);
    this.aside.append(cell);
    this.node.append(this.link, this.table, this.none, this.where);
  }

  show(table: ModelsTable): void {
    this.shown = table;
    this.clock.set(table);
    const names = new Set(table.rows.map((row) => row.name));
    for (const [name, row] of this.rows) {
      if (!names.has(name)) this.drop(name, row.node);
    }
    let at = this.body.firstElementChild;
    for (const row of table.rows) {
      const there = this.rows.get(row.name) ?? this.newRow(row.name);
      // What was asked of a Model is not asked of another that has its name by now.
      if (there.uid !== row.uid && this.aside.previousElementSibling === there.node) this.panel.close();
      there.show(row);
      if (at === this.aside) at = at.nextElementSibling;
      if (at === there.node) at = at.nextElementSibling;
      else this.body.insertBefore(there.node, at);
    }
    this.table.hidden = names.size === 0;
    this.none.hidden = names.size > 0;
    put(this.where, `Models ${table.where}.`);
    this.tick();
  }

  lose(): void {
    this.lost = true;
    this.panel.close();
    for (const row of this.rows.values()) row.disable();
    this.tick();
  }

  stop(): void {
    this.asker.stop();
  }

  tick(): void {
    if (this.shown === undefined) return;
    const over = this.lost || this.shown.link === "closed";
    this.node.classList.toggle("kubeai-models-closed", over);
    put(this.link, over ? "No longer followed. Run the cell again to follow them." : linkText(this.shown, this.clock.now()));
    if (!over) for (const row of this.rows.values()) row.tick(this.clock.now());
  }

  private newRow(name: string): RowView {
    const row = new RowView(name, {
      card: (pressed) => {
        this.send({ verb: "show", name, uid: row.uid }, pressed);
      },
      remove: (pressed) => {
        this.askToDelete({ verb: "delete", name, uid: row.uid }, pressed);
      },
    });
    this.rows.set(name, row);
    return row;
  }

  /** Take a row away: what was asked of its Model goes too, and a focus in it goes to the row beside. */
  private drop(name: string, row: Element): void {
    if (this.aside.previousElementSibling === row) this.panel.close();
    if (row.contains(document.activeElement) && !this.focusBeside(row, 1)) this.focusBeside(row, -1);
    row.remove();
    this.rows.delete(name);
  }

  private askToDelete(wanted: RowWanted, pressed: HTMLButtonElement): void {
    const { name } = wanted;
    this.send({ ...wanted, dry_run: true }, pressed, (note) => {
      this.ask(wanted, {
        title: `Really delete ${name}? ${note}`,
        yes: `Delete ${name}`,
        onYes: () => {
          this.send(wanted, pressed);
        },
      });
    });
  }

  /** Ask it, where the row is still that of the Model that it is about. */
  private ask({ name, uid }: RowWanted, question: Question): void {
    if (this.rows.get(name)?.uid === uid) this.panel.ask(question);
  }

  private send(
    wanted: RowWanted,
    pressed: HTMLButtonElement,
    onDone: (note: string) => void = () => undefined,
  ): void {
    setBusy(pressed, true);
    const row = pressed.closest("tr");
    if (row !== null && row.nextElementSibling !== this.aside) {
      this.panel.close();
      row.after(this.aside);
    }
    this.asker.ask(wanted, (heard) => {
      if (!isOver(heard)) {
        putText(this.outcome, underWay(heard));
        return;
      }
      setBusy(pressed, false);
      const notice = heard.notices[0];
      putText(this.outcome, heard.state === "done" ? (wanted.dry_run ? "" : heard.note) : failure(heard));
      if (heard.state === "done") onDone(heard.note);
      else if (notice?.code === "NotYoursError") {
        this.ask(wanted, {
          title: notice.message,
          yes: "Do it all the same",
          onYes: () => {
            this.send({ ...wanted, yes: true }, pressed);
          },
        });
      }
    });
  }

  /** Up and down go to the same button of the next row. */
  private move(event: KeyboardEvent): void {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const from = event.target instanceof HTMLElement ? event.target.closest("tr") : null;
    if (by === undefined || from === null) return;
    this.focusBeside(from, by);
    event.preventDefault();
  }

  /** Give the focus to the same button of the next or the last row; whether there is one. */
  private focusBeside(row: Element, by: number): boolean {
    const beside = (node: Element) => (by > 0 ? node.nextElementSibling : node.previousElementSibling);
    const index = [...row.querySelectorAll("button")].findIndex((button) => button === document.activeElement);
    const next = beside(row) === this.aside ? beside(this.aside) : beside(row);
    const button = next?.querySelectorAll("button")[index];
    button?.focus();
    return button !== undefined;
  }
}

type RowWanted = Wanted & Pick<Request, "name" | "uid">;

interface OnPress {
  card: (pressed: HTMLButtonElement) => void;
  remove: (pressed: HTMLButtonElement) => void;
}

class RowView {
  readonly node = element("tr", "");
  /** Of the Model that is shown: another one may come to have its name. */
  uid = "";
  private readonly icon = element("span", "kubeai-models-icon");
  private readonly word = element("span", "");
  private readonly cells = HEADS.map((_, index) => element(index === 0 ? "th" : "td", ""));
  private readonly card: HTMLButtonElement;
  private readonly remove: HTMLButtonElement;
  private tone = "";
  private createdSeconds = 0;

  constructor(name: string, on: OnPress) {
    this.card = button("Card", `Card of ${name}`);
    this.remove = button("Delete …", `Delete ${name} …`);
    this.card.addEventListener("click", () => {
      on.card(this.card);
    });
    this.remove.addEventListener("click", () => {
      on.remove(this.remove);
    });
    this.node.setAttribute("role", "row");
    for (const cell of this.cells) cell.setAttribute("role", cell.localName === "th" ? "rowheader" : "cell");
    this.cells[0]?.setAttribute("scope", "row");
    this.cells[1]?.append(this.icon, " ", this.word);
    const buttons = element("span", "kubeai-buttons");
    buttons.append(this.card, this.remove);
    this.cells[7]?.append(buttons);
    this.node.append(...this.cells);
  }

  show(row: ModelRow): void {
    this.uid = row.uid;
    if (this.tone !== row.tone) {
      this.tone = row.tone;
      this.node.dataset.tone = row.tone;
      this.icon.replaceChildren(iconOf(row.tone));
    }
    putText(this.word, row.phase);
    this.createdSeconds = row.created_seconds;
    const ready = `${String(row.ready)}/${String(row.desired)}`;
    const texts = { 0: row.name, 2: ready, 3: row.engine, 4: row.profile, 6: row.problem };
    for (const [index, text] of Object.entries(texts)) {
      const cell = this.cells[Number(index)];
      if (cell !== undefined) putText(cell, text);
    }
  }

  tick(nowSeconds: number): void {
    // Minutes say enough of an age, and are written sixty times less often.
    const age = sinceText(this.createdSeconds, nowSeconds).replace(/ min .*$/, " min");
    if (this.cells[5] !== undefined) putText(this.cells[5], age);
  }

  disable(): void {
    this.card.disabled = this.remove.disabled = true;
  }
}
