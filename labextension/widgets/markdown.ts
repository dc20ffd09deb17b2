import bash from "highlight.js/lib/languages/bash";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import sql from "highlight.js/lib/languages/sql";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";
import { getDefaults, Lexer, type MarkedToken, type Token, type Tokens } from "marked";
import { element } from "../shared/dom";
import { type DrawFormula, FORMULAS, type FormulaToken, isFormula } from "./formula";

/**
 * A model's Markdown as elements. Only the tokens of the lexer are read, and each becomes an element of the list below,
 * filled with text nodes: no string ever becomes HTML, so there is nothing to sanitise. What is not in the list is shown
 * as it was written. Pictures are links, since drawing one asks somebody's server.
 *
 * A growing text is read from its last two blocks on: a line can still join the block before it (`1.` after a list), but
 * no earlier one. A block that did not change keeps its elements, and with them what its reader has selected.
 */
export class MarkdownView {
  readonly node = element("div", "kubeai-markdown");
  private tail = "";
  private drawn: { raw: string; node: Node }[] = [];

  /** `buttonsOf` gives the buttons of a block of code; a formula that is not drawn stays as it was written. */
  constructor(
    private readonly buttonsOf: (code: string, language: string) => HTMLElement[] = () => [],
    private readonly drawFormula: DrawFormula = () => undefined,
  ) {}

  append(text: string): void {
    if (text === "") return;
    this.tail += text;
    const blocks = blocksOf(this.tail);
    let same = 0;
    while (same < this.drawn.length && this.drawn[same]?.raw === blocks[same]?.raw) same += 1;
    for (const { node } of this.drawn.splice(same)) node.parentNode?.removeChild(node);
    for (const block of blocks.slice(same)) {
      const node = this.node.appendChild(this.block(block));
      this.drawn.push({ raw: block.raw, node });
    }
    const lasting = this.drawn.flatMap(({ raw }, place) => (raw.trim() === "" ? [] : [place]));
    const ended = this.drawn.splice(0, lasting.at(-2) ?? 0);
    this.tail = this.tail.slice(ended.reduce((length, { raw }) => length + raw.length, 0));
  }

  private block(token: MarkedToken): Node {
    if (isFormula(token)) return this.formula(token);
    switch (token.type) {
      case "heading":
        return this.inline(document.createElement(`h${String(token.depth)}`), token.tokens);
      case "paragraph":
        return this.inline(element("p", ""), token.tokens);
      case "text": // in a list's item
        return this.inline(element("span", ""), token.tokens ?? [token]);
      case "code":
        return this.code(token);
      case "blockquote":
        return this.blocks(element("blockquote", ""), token.tokens);
      case "list":
        return this.list(token);
      case "table":
        if (token.header.length * token.rows.length > MOST_CELLS) return element("p", "kubeai-markdown-raw", token.raw);
        return this.table(token);
      case "hr":
        return element("hr", "");
      case "checkbox":
        return document.createTextNode(token.checked ? "☑ " : "☐ ");
      case "space":
        return document.createTextNode("");
      default:
        return element("p", "kubeai-markdown-raw", token.raw);
    }
  }

  private blocks<T extends HTMLElement>(node: T, tokens: readonly Token[]): T {
    node.append(...tokens.map((token) => this.block(token as MarkedToken)));
    return node;
  }

  private code(token: Tokens.Code): HTMLElement {
    const language = /^[\w+#.-]*/.exec(token.lang ?? "")?.[0].toLowerCase() ?? "";
    const code = element("code", "");
    const hasEnded = token.codeBlockStyle === "indented" || /\n[ \t]*(?:`{3,}|~{3,})[ \t]*\n?$/.test(token.raw);
    if (hasEnded && language !== "" && highlighter.registered(language) && token.text.length < LONGEST_COLOURED) {
      code.append(...highlighter.highlight(language, token.text).children.map(colouredNode));
    } else {
      code.textContent = token.text;
    }
    const pre = element("pre", "");
    pre.tabIndex = 0;
    pre.append(code);
    const node = element("div", "kubeai-markdown-code");
    node.append(pre, ...(hasEnded ? this.buttonsOf(token.text, language) : []));
    return node;
  }

  private list(token: Tokens.List): HTMLElement {
    const list = element(token.ordered ? "ol" : "ul", "");
    if (list instanceof HTMLOListElement && typeof token.start === "number") list.start = token.start;
    list.append(...token.items.map((item) => this.blocks(element("li", ""), item.tokens)));
    return list;
  }

  private table(token: Tokens.Table): HTMLElement {
    const table = element("table", "");
    const head = table.createTHead().insertRow();
    head.append(...token.header.map((cell) => this.inline(element("th", ""), cell.tokens)));
    const body = table.createTBody();
    for (const row of token.rows) {
      body.insertRow().append(...row.map((cell) => this.inline(element("td", ""), cell.tokens)));
    }
    const node = element("div", "kubeai-markdown-table");
    node.append(table);
    return node;
  }

  private inline<T extends HTMLElement>(node: T, tokens: readonly Token[]): T {
    for (const token of tokens) node.append(this.span(token as MarkedToken));
    return node;
  }

  private formula({ raw, tex, display }: FormulaToken): HTMLElement {
    const node = element("span", `kubeai-markdown-formula${display ? " kubeai-markdown-display" : ""}`, raw.trim());
    this.drawFormula(node, tex, display);
    return node;
  }

  private span(token: MarkedToken): Node | string {
    if (isFormula(token)) return this.formula(token);
    switch (token.type) {
      case "strong":
        return this.inline(element("strong", ""), token.tokens);
      case "em":
        return this.inline(element("em", ""), token.tokens);
      case "del":
        return this.inline(element("del", ""), token.tokens);
      case "codespan":
        return element("code", "", token.text);
      case "br":
        return element("br", "");
      case "link":
        return this.link(token.href, (node) => this.inline(node, token.tokens), token.raw);
      case "image":
        return this.link(token.href, (node) => {
          if (this.inline(node, token.tokens).textContent === "") node.append(token.href);
        }, token.raw);
      case "text": // its `text` has entities read that turn the direction of what is read
        return token.tokens === undefined ? decoded(token.raw) : this.inline(element("span", ""), token.tokens);
      case "escape": // brackets with a backslash are a formula's, more often than escaped
        return /^\\[()[\]]$/.test(token.raw) ? token.raw : token.text;
      case "checkbox":
        return this.block(token);
      default:
        return token.raw;
    }
  }

  /** A link to where a click may lead, else the words that were written. */
  private link(href: string, fill: (node: HTMLElement) => void, raw: string): Node | string {
    const address = decoded(href);
    const url = URL.canParse(address) ? new URL(address) : undefined;
    if (url === undefined || !["http:", "https:", "mailto:"].includes(url.protocol)) return raw;
    const node = element("a", "");
    node.href = url.href;
    node.target = "_blank";
    node.rel = "noopener noreferrer nofollow";
    fill(node);
    return node;
  }
}

const highlighter = createLowlight({ bash, javascript, json, python, sql, yaml });
type Coloured = ReturnType<typeof highlighter.highlight>["children"][number];

/** Characters of code that is coloured, and of a passage that is read as Markdown. */
const LONGEST_COLOURED = 50_000;
const LONGEST_PASSAGE = 20_000;
/** Signs of one passage: the lexer's time grows with the square of those that could begin something. */
const MOST_SIGNS = 400;
/** Cells of a table that is drawn: a short text can stand for a million empty ones. */
const MOST_CELLS = 5_000;
/** Nobody writes lists and quotes deeper than this, and the lexer reads them by recursion. */
const DEEP = /^(?:[ \t]*(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]))){8}|^(?:\t{8}| {32})[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]/m;

function colouredNode(tree: Coloured): Node | string {
  if (tree.type === "text") return tree.value;
  if (tree.type !== "element") return "";
  const names = tree.properties.className;
  const node = element("span", Array.isArray(names) ? names.join(" ") : "");
  node.append(...tree.children.map(colouredNode));
  return node;
}

/** The blocks of a text; a passage that would take the lexer long is one that is shown as it was written. */
function blocksOf(text: string): MarkedToken[] {
  if (DEEP.test(text)) return [asWritten(text)];
  const lexer = new Lexer({ ...getDefaults(), extensions: FORMULAS });
  const blocks = lexer.blockTokens(text, []) as MarkedToken[];
  for (const { src, tokens } of lexer.inlineQueue.splice(0)) {
    const signs = src.length < MOST_SIGNS ? 0 : (src.match(/[*_~`[(<!$]/g) ?? []).length;
    if (src.length > LONGEST_PASSAGE || signs > MOST_SIGNS) tokens.push(asWritten(src));
    else lexer.inlineTokens(src, tokens);
  }
  return blocks;
}

function asWritten(text: string): Tokens.Escape {
  return { type: "escape", raw: text, text };
}

const NAMED: Record<string, string> = {
  amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", copy: "©", reg: "®", trade: "™", hellip: "…",
  ndash: "–", mdash: "—", lsquo: "‘", rsquo: "’", ldquo: "“", rdquo: "”", laquo: "«", raquo: "»", bull: "•",
  middot: "·", deg: "°", plusmn: "±", times: "×", divide: "÷", euro: "€", pound: "£", sect: "§", para: "¶",
  larr: "←", rarr: "→", uarr: "↑", darr: "↓", le: "≤", ge: "≥", ne: "≠", asymp: "≈", infin: "∞", micro: "µ",
};

/** The text with its entities read; those of characters that act instead of being seen stay as they were written. */
function decoded(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(\w{2,8}));/g, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return NAMED[name] ?? whole;
    const code = decimal === undefined ? parseInt(hex ?? "", 16) : Number(decimal);
    const character = code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "";
    return /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]$/u.test(character) ? character : whole;
  });
}
