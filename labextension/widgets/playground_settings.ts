import { button, element, put } from "../shared/dom";
import type { Send } from "./playground_answer";
import type { PlaygroundState } from "./playground_types";

const FIELDS: readonly [name: string, label: string, lines: number][] = [
  ["system", "System prompt", 3],
  ["temperature", "Temperature", 1],
  ["max_tokens", "Most tokens", 1],
  ["top_p", "Top p", 1],
  ["seed", "Seed", 1],
  ["stop", "Stop at (a line each)", 2],
  ["schema", "Answer as (labels, or a JSON schema)", 2],
];
const MOST_COLUMNS = 4;

/** Who answers, and how. */
export class SettingsView {
  readonly node = element("div", "kubeai-playground-settings");
  private readonly columns = element("div", "kubeai-buttons");
  private readonly twice = element("p", "kubeai-playground-twice");
  private readonly fields = new Map<string, HTMLTextAreaElement>();
  private drawn = "";
  /** Whether what stands in the fields cannot be sent. */
  refused = false;

  constructor(private readonly send: Send) {
    const folded = element("details", "");
    const fields = element("div", "kubeai-playground-fields");
    folded.append(element("summary", "", "Settings"), fields);
    for (const [name, label, lines] of FIELDS) {
      const row = element("label", "", label);
      const text = element("textarea", "");
      text.rows = lines;
      text.placeholder = lines > 1 ? "none" : "engine's own"; // shown whole also where the fields are narrowest
      text.addEventListener("change", () => {
        this.tell();
      });
      this.fields.set(name, text);
      row.append(text);
      if (lines > 1) row.className = "kubeai-playground-wide";
      fields.append(row);
    }
    this.columns.setAttribute("role", "group");
    this.columns.setAttribute("aria-label", "Who answers");
    this.twice.setAttribute("role", "status");
    this.node.append(this.columns, this.twice, folded);
  }

  /** Send what stands in the fields. */
  tell(): void {
    const settings = [...this.fields].map(([key, { value }]) => [key, value] as const);
    this.send({ verb: "settings", settings: Object.fromEntries(settings) });
  }

  show({ columns, choices, settings, busy }: PlaygroundState): void {
    for (const [name, text] of this.refused ? [] : this.fields) {
      if (text !== document.activeElement) text.value = settings[name] ?? "";
    }
    const wanted = JSON.stringify([columns, choices, busy]);
    if (wanted === this.drawn) return;
    this.drawn = wanted;
    const twice = columns.find((name, place) => columns.indexOf(name) < place);
    const others = choices.some((name) => !columns.includes(name));
    const instead = others ? "Choose another one in a column." : "There is no other one here to compare with.";
    put(this.twice, twice === undefined ? "" : `${twice} answers more than once. ${instead}`);
    const change = (next: string[]) => {
      this.send({ verb: "columns", columns: next });
    };
    const chosen = columns.map((column, place) => this.choice(column, place, { columns, choices, busy, change }));
    const more = button("Compare", "Compare with another Model or adapter");
    more.disabled = busy || columns.length >= MOST_COLUMNS;
    more.addEventListener("click", () => {
      change([...columns, choices.find((name) => !columns.includes(name)) ?? columns[0] ?? ""]);
    });
    this.columns.replaceChildren(...chosen.flat(), more);
  }

  private choice(
    column: string,
    place: number,
    { columns, choices, busy, change }: Pick<PlaygroundState, "columns" | "choices" | "busy"> & { change: (next: string[]) => void },
  ): HTMLElement[] {
    const select = element("select", "");
    select.setAttribute("aria-label", `Column ${String(place + 1)}`);
    select.disabled = busy;
    select.append(...choices.map((name) => new Option(name, name, false, name === column)));
    select.addEventListener("change", () => {
      change(columns.map((name, index) => (index === place ? select.value : name)));
    });
    if (columns.length < 2) return [select];
    const remove = button("×", `Remove column ${String(place + 1)}`);
    remove.disabled = busy;
    remove.addEventListener("click", () => {
      change(columns.filter((_, index) => index !== place));
    });
    return [select, remove];
  }
}
