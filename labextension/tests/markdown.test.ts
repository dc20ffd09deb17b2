import { describe, expect, inject, it } from "vitest";
import { MarkdownView } from "../widgets/markdown";

declare module "vitest" {
  interface ProvidedContext {
    hostile: [string, string][];
    ordinary: string;
  }
}

const ELEMENTS =
  "a blockquote br code del div em h1 h2 h3 h4 h5 h6 hr li ol p pre span strong table tbody td th thead tr ul".split(" ");
const ATTRIBUTES = ["class", "href", "rel", "start", "tabindex", "target"];
const LINKS = ["http:", "https:", "mailto:"];

function shown(...pieces: string[]): HTMLElement {
  const view = new MarkdownView();
  for (const piece of pieces) view.append(piece);
  return view.node;
}

/** What is there that no Markdown of ours has. */
function acting(node: HTMLElement): string[] {
  return [...node.querySelectorAll("*")].flatMap((child) => {
    const names = child.getAttributeNames().filter((name) => !ATTRIBUTES.includes(name));
    const links = child instanceof HTMLAnchorElement && !LINKS.includes(child.protocol) ? [child.href] : [];
    return [...(ELEMENTS.includes(child.localName) ? [] : [child.localName]), ...names, ...links];
  });
}

describe("Markdown", () => {
  it("has headings, lists, tables, code and links", () => {
    const node = shown("# A *b*\n\n3. x\n   - y\n\n| a | b |\n|---|---|\n| `c` | **d** |\n\n[e](https://f.g/h) ~~i~~");
    expect(node.querySelector("h1 em")?.textContent).toBe("b");
    expect(node.querySelector("ol")?.start).toBe(3);
    expect(node.querySelector("ol ul li")?.textContent).toBe("y");
    expect(node.querySelector("td code")?.textContent).toBe("c");
    expect(node.querySelector("a")?.href).toBe("https://f.g/h");
  });

  it("draws ordinary text as it is kept in a file", async () => {
    const text = inject("ordinary");
    await expect(shown(text).innerHTML.replaceAll(/<(?=(?:p|h\d|div|ul|ol|li|pre|hr|tr|table|blockquote)\b)/g, "\n<"))
      .toMatchFileSnapshot("golden/ordinary.html");
  });

  it("is the same whole and in pieces", () => {
    const text = inject("ordinary");
    expect(shown(...text.split("")).innerHTML).toBe(shown(text).innerHTML);
  });

  it("colours code that has ended", () => {
    expect(shown("```python\ndef f(): pass\n").querySelector(".hljs-keyword")).toBeNull();
    expect(shown("```python\ndef f(): pass\n```").querySelector(".hljs-keyword")?.textContent).toBe("def");
  });

  it("gives code that has ended its buttons", () => {
    const seen: string[] = [];
    new MarkdownView((code, language) => {
      seen.push(`${language}: ${code}`);
      return [];
    }).append("```python\nx = 1\n```\n");
    expect(seen).toEqual(["python: x = 1"]);
  });

  it("keeps the elements of what has not changed", () => {
    const view = new MarkdownView();
    view.append("One\n\nTwo\n\nThr");
    const [first, second] = [...view.node.querySelectorAll("p")];
    view.append("ee\n\nFour");
    expect([...view.node.querySelectorAll("p")].slice(0, 2)).toEqual([first, second]);
    expect(view.node.querySelectorAll("p").length).toBe(4);
  });

  it("joins a list that goes on behind a blank line", () => {
    expect(shown("1. a\n\n2", ". b").querySelectorAll("ol > li").length).toBe(2);
  });

  it.each(inject("hostile"))("shows %s, in pieces of one letter, and does nothing else", (_id, text) => {
    const view = new MarkdownView();
    for (const letter of text.slice(0, 500)) {
      view.append(letter);
      expect(acting(view.node)).toEqual([]);
    }
    view.append(text.slice(500));
    expect(acting(view.node)).toEqual([]);
  });

  it("follows no link that is spelt with entities, and reads none that hides a text", () => {
    const node = shown("[a](javascript&colon;alert(1)) [b](&#106;avascript:alert(1)) &#8238;c &amp;d &#0; &#xD800;");
    expect(node.querySelector("a")).toBeNull();
    expect(node.textContent).toContain("&#8238;c &d &#0; &#xD800;");
  });

  it.each([
    ["stars", "*a ".repeat(20_000)],
    ["brackets", "[".repeat(50_000)],
    ["quotes", ">".repeat(20_000)],
    ["lists", "- ".repeat(20_000)],
    ["a line", "word ".repeat(20_000)],
  ])("shows many %s in a moment", (_name, text) => {
    expect(shown(text).textContent.length).toBeGreaterThan(text.length / 2);
  }, 1_000);
});
