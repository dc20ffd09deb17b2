import type { Token, TokenizerExtensionFunction, TokenizerStartFunction, Tokens } from "marked";
import { UntilItComes } from "../shared/ask";

/** Draws a formula in the place of its words, now or later. */
export type DrawFormula = (place: HTMLElement, tex: string, display: boolean) => void;
interface FormulaModule {
  formulaOf: (tex: string, display: boolean) => Node | undefined;
}

/** Draws formulas by a module of its own that is asked for when the first one comes; without it they stay as written. */
export class Formulas {
  private module: FormulaModule | undefined;
  private readonly source: UntilItComes;
  private readonly waiting: Parameters<DrawFormula>[] = [];

  constructor(ask: () => boolean) {
    this.source = new UntilItComes(ask);
  }

  readonly draw: DrawFormula = (place, tex, display) => {
    if (this.module === undefined) {
      this.waiting.push([place, tex, display]);
      this.source.start();
      return;
    }
    const formula = this.module.formulaOf(tex, display);
    if (formula !== undefined) place.replaceChildren(formula);
  };

  /** Take the module's source, as anywidget takes a widget's. */
  async take(source: string): Promise<void> {
    this.stop();
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    try {
      this.module = (await import(url)) as FormulaModule;
    } finally {
      URL.revokeObjectURL(url);
    }
    for (const formula of this.waiting.splice(0)) this.draw(...formula);
  }

  /** Ask for it no more. */
  stop(): void {
    this.source.stop();
  }
}

export interface FormulaToken extends Tokens.Generic {
  type: "formula";
  tex: string;
  display: boolean;
}

export function isFormula(token: Token): token is FormulaToken {
  return token.type === "formula";
}

const CLOSED_BY: Record<string, string> = { "\\(": "\\)", "\\[": "\\]", $$: "$$" };

/** The formula that a text begins with; it ends before the next blank line. A single dollar is an amount of money. */
function formulaAt(src: string): FormulaToken | undefined {
  const [open, close] = [src.slice(0, 2), CLOSED_BY[src.slice(0, 2)]];
  const end = close === undefined ? -1 : src.indexOf(close, 2);
  const tex = src.slice(2, Math.max(end, 2));
  if (tex.trim() === "" || /\n[ \t]*\n/.test(tex)) return undefined;
  return { type: "formula", raw: src.slice(0, end + 2), tex, display: open !== "\\(" };
}

const inline: TokenizerExtensionFunction = (src) => formulaAt(src);

/**
 * A formula on lines of its own. One that has not ended is a block up to the next blank line: else its lines would be
 * read as lists and headings that stay when it ends.
 */
const block: TokenizerExtensionFunction = (src) => {
  const [indent] = /^ {0,3}(?=\$\$|\\\[)/.exec(src) ?? [];
  if (indent === undefined) return undefined;
  const formula = formulaAt(src.slice(indent.length));
  const passage = src.slice(0, endOfPassage(src));
  if (formula === undefined) return CLOSED.test(passage) ? undefined : { type: "open formula", raw: passage };
  const raw = indent + formula.raw;
  const [rest] = /^[ \t]*(?=\n|$)/.exec(src.slice(raw.length)) ?? [];
  return rest === undefined ? undefined : { ...formula, raw: raw + rest };
};
const CLOSED = /^ {0,3}(?:\$\$[^]*\$\$|\\\[[^]*\\\])/;

function endOfPassage(src: string): number {
  const end = src.search(/\n[ \t]*\n/);
  return end < 0 ? src.length : end;
}

const startBlock: TokenizerStartFunction = (src) => {
  const start = src.slice(0, endOfPassage(src)).search(/\n {0,3}(?:\$\$|\\\[)/);
  return start < 0 ? undefined : start + 1;
};
const startInline: TokenizerStartFunction = (src) => src.indexOf("$$");

/** What marked's lexer has to know. */
export const FORMULAS = {
  renderers: {},
  childTokens: {},
  block: [block],
  inline: [inline],
  startBlock: [startBlock],
  startInline: [startInline],
};
