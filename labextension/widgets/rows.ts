import type { AnyModel, RenderProps } from "@anywidget/types";
import { shown } from "./asking";
import { element, keepKeys } from "../shared/dom";
import type { RowColumn, RowsState } from "./form_types";

type Model = AnyModel<RowsState>;
type Props = Pick<RenderProps<RowsState>, "model" | "el" | "signal">;
type Cell = HTMLInputElement | HTMLTextAreaElement;

const LARGEST_UPLOAD_BYTES = 1_000_000;

/**
 * Rows of texts. Enter adds a row below, the arrows go up and down (with Ctrl where a list of suggestions has them),
 * and Delete takes an empty row away.
 */
export default { render };

function render({ model, el, signal }: Props): void {
  const rows = new Rows(model);
  el.append(rows.node);
  shown(model, signal, ["rows"], () => {
    rows.show(model.get("rows"));
  });
  shown(model, signal, ["columns"], () => {
    rows.suggest(model.get("columns"));
  });
}

class Rows {
  readonly node = element("fieldset", "kubeai-form-rows");
  private readonly body = element("div", "kubeai-form-rows-body");
  private readonly problem = element("div", "kubeai-form-message");
  private readonly lists = element("div", "");
  private readonly id = `kubeai-rows-${String(++count)}`;

  constructor(private readonly model: Model) {
    const label = model.get("label");
    keepKeys(this.node);
    this.problem.setAttribute("role", "alert");
    this.problem.hidden = true;
    const add = button("Add", `Add a row to ${label}`);
    add.addEventListener("click", () => {
      this.add();
    });
    const actions = element("div", "kubeai-form-row-actions");
    actions.append(add);
    if (model.get("uploads")) actions.append(this.upload());
    this.node.append(element("legend", "", label), this.body, this.problem, actions, this.lists);
    this.node.addEventListener("input", () => {
      this.save();
    });
    this.node.addEventListener("keydown", (event) => {
      this.pressed(event);
    });
  }

  /** Draw the rows where they are not what stands here already: whoever types keeps the place. */
  show(rows: readonly (readonly string[])[]): void {
    if (JSON.stringify(rows) === JSON.stringify(this.texts())) return;
    this.body.replaceChildren(...rows.map((row) => this.row(row)));
  }

  suggest(columns: readonly RowColumn[]): void {
    const lists = columns.map(({ suggestions }, index) => {
      const list = element("datalist", "");
      list.id = `${this.id}-${String(index)}`;
      list.append(...suggestions.map((text) => new Option(text)));
      return list;
    });
    this.lists.replaceChildren(...lists);
  }

  private texts(): string[][] {
    return Array.from(this.body.children, (row) => cellsOf(row).map((cell) => cell.value));
  }

  private row(texts: readonly string[]): HTMLElement {
    const node = element("div", "kubeai-form-row");
    node.append(...this.model.get("columns").map((column, index) => this.cell(column, index, texts[index] ?? "")));
    const remove = button("×", `Remove this row of ${this.model.get("label")}`);
    remove.addEventListener("click", () => {
      this.remove(node);
    });
    node.append(remove);
    return node;
  }

  private cell({ title, placeholder, multiline, suggestions }: RowColumn, index: number, text: string): Cell {
    const cell = element(multiline ? "textarea" : "input", "");
    cell.setAttribute("aria-label", title);
    cell.placeholder = placeholder;
    cell.spellcheck = false;
    if (suggestions.length > 0) cell.setAttribute("list", `${this.id}-${String(index)}`);
    cell.value = text;
    return cell;
  }

  private add(below?: Element | null, texts: readonly string[] = []): void {
    const row = this.row(texts);
    if (below) below.after(row);
    else this.body.append(row);
    cellsOf(row)[0]?.focus();
    this.save();
  }

  private remove(row: Element): void {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    this.save();
    const target = next ? cellsOf(next)[0] : this.node.querySelector<HTMLElement>(".kubeai-form-row-actions button");
    target?.focus();
  }

  private save(): void {
    this.model.set("rows", this.texts());
    this.model.save_changes();
  }

  private pressed(event: KeyboardEvent): void {
    const cell = event.target;
    if (!(cell instanceof HTMLInputElement) || cell.type === "file") return;
    const row = cell.closest(".kubeai-form-row");
    if (row === null) return;
    const arrows = event.ctrlKey || !cell.hasAttribute("list");
    if (event.key === "Enter" && !event.shiftKey) this.add(row);
    else if (event.key === "ArrowUp" && arrows) beside(row.previousElementSibling, cell)?.focus();
    else if (event.key === "ArrowDown" && arrows) beside(row.nextElementSibling, cell)?.focus();
    else if (["Delete", "Backspace"].includes(event.key) && cellsOf(row).every(({ value }) => value === "")) this.remove(row);
    else return;
    event.preventDefault();
  }

  /** A button that reads text files into rows of their path and content. */
  private upload(): HTMLElement {
    const label = element("label", "kubeai-form-button kubeai-form-upload", "Upload …");
    const input = element("input", "");
    input.type = "file";
    input.multiple = true;
    input.addEventListener("change", () => {
      void this.read(Array.from(input.files ?? [])).then(() => {
        input.value = "";
      });
    });
    label.append(input);
    return label;
  }

  private async read(files: readonly File[]): Promise<void> {
    const large = files.find((file) => file.size > LARGEST_UPLOAD_BYTES);
    this.problem.hidden = large === undefined;
    if (large !== undefined) {
      this.problem.textContent = `${large.name} is too large: KubeAI mounts text of up to 100,000 characters.`;
      return;
    }
    for (const file of files) this.add(null, [`/config/${file.name}`, await file.text()]);
  }
}
let count = 0;

function cellsOf(row: Element): Cell[] {
  return Array.from(row.querySelectorAll<Cell>("input, textarea"));
}

/** The cell of another row that stands in the same column. */
function beside(row: Element | null, cell: Cell): Cell | undefined {
  const own = cell.closest(".kubeai-form-row");
  return row && own ? cellsOf(row)[cellsOf(own).indexOf(cell)] : undefined;
}

function button(text: string, label: string): HTMLButtonElement {
  const node = element("button", "kubeai-form-button", text);
  node.type = "button";
  node.title = label;
  node.setAttribute("aria-label", label);
  return node;
}
