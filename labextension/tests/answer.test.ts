import type { AnyModel } from "@anywidget/types";
import { afterEach, describe, expect, it } from "vitest";
import answer, { AnswerView } from "../widgets/answer";

afterEach(() => {
  document.body.replaceChildren();
});

/** The model's half of anywidget: listeners, and messages of the kernel. */
class FakeModel {
  private readonly listeners = new Set<(message: unknown) => void>();
  readonly as = this as unknown as AnyModel<Record<string, never>>;

  on(_event: string, listener: (message: unknown) => void): void {
    this.listeners.add(listener);
  }

  off(_event: string, listener: (message: unknown) => void): void {
    this.listeners.delete(listener);
  }

  send(message: unknown): void {
    for (const listener of this.listeners) listener(message);
  }

  get listening(): number {
    return this.listeners.size;
  }
}

function shown(...pieces: string[]): HTMLElement {
  const view = new AnswerView();
  for (const piece of pieces) view.append(piece);
  return view.node;
}

describe("an answer", () => {
  it("shows what came before it was shown, and what comes", () => {
    const model = new FakeModel();
    const widget = answer();
    const forget = widget.initialize({ model: model.as });
    model.send({ seq: 0, append: "Hel" });
    const el = document.body.appendChild(document.createElement("div"));
    const remove = widget.render({ model: model.as, el });
    model.send({ seq: 1, append: "lo" });
    expect(el.textContent).toBe("Hello");
    remove();
    forget();
    expect(model.listening).toBe(0);
  });

  it("says below its words how long it is by now", () => {
    const model = new FakeModel();
    const widget = answer();
    widget.initialize({ model: model.as });
    const el = document.createElement("div");
    widget.render({ model: model.as, el });
    model.send({ seq: 0, append: "One" });
    expect(el.querySelector(".kubeai-answer-note")?.textContent).toBe("");
    model.send({ seq: 1, append: " two", note: "About 100 pieces so far; ■ stops it." });
    expect(el.querySelector(".kubeai-answer")?.textContent).toBe("One two");
    expect(el.lastElementChild?.textContent).toBe("About 100 pieces so far; ■ stops it.");
  });

  it("shows that a piece is missing", () => {
    const model = new FakeModel();
    const widget = answer();
    widget.initialize({ model: model.as });
    model.send({ seq: 1, append: "lo" });
    const el = document.createElement("div");
    widget.render({ model: model.as, el });
    expect(el.textContent).toContain("lo");
  });

  it("does not depend on how the text was cut", () => {
    const text = "# Title\n\nSome **bold** and `code`.\n\n```py\na = 1\n\nb = 2\n```\n\n- one\n- two\n\n1. first\n\nEnd *here*";
    const whole = shown(text).innerHTML;
    for (const size of [1, 2, 3, 7]) {
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, n) => text.slice(n * size, n * size + size));
      expect(shown(...pieces).innerHTML).toBe(whole);
    }
    expect(shown(text).querySelector("pre code")?.textContent).toBe("a = 1\n\nb = 2");
    expect(shown(text).querySelector("h1")?.textContent).toBe("Title");
    expect(shown(text).querySelector("em")?.textContent).toBe("here");
  });

  it("draws what the Markdown behind it draws", () => {
    const node = shown("> Two\n> lines\n\n| name | country |\n|:--|--:|\n| Brie | **France** |\n| Gou\n\n---\n\n[a page](https://x)");
    expect(node.querySelector("blockquote")?.textContent).toBe("Two\nlines");
    const rows = [...node.querySelectorAll("tr")].map((row) => [...row.children].map((cell) => cell.textContent));
    expect(rows).toEqual([["name", "country"], ["Brie", "France"], ["Gou"]]);
    expect([...node.querySelectorAll("th, td strong, hr, span")].map((part) => part.tagName)).toEqual([
      "TH",
      "TH",
      "STRONG",
      "HR",
      "SPAN",
    ]);
    expect(node.textContent).toContain("a page");
  });

  it("goes on with the words of the line before", () => {
    const node = shown("One\ntwo\n- item\n  goes on\n\n\n\nEnd");
    expect([...node.querySelectorAll("p, .kubeai-answer-item")].map((part) => part.textContent)).toEqual([
      "One\ntwo",
      "item\n  goes on",
      "End",
    ]);
    expect(node.children).toHaveLength(2);
  });

  it("makes no HTML of a model's words", () => {
    const node = shown("<img src=x onerror=alert(1)> **<script>x</script>**\n\n```html\n<b>x</b>\n```\n\n[x](javascript:1)");
    expect(node.querySelector("img, script, b, a")).toBeNull();
    expect(node.textContent).toContain("<img src=x onerror=alert(1)>");
  });

  it("draws a passage that has ended no more", () => {
    const view = new AnswerView();
    view.append("First.\n\nSec");
    const first = view.node.children[0]?.firstChild;
    view.append("ond.\n\nThird.");
    expect(view.node.children[0]?.firstChild).toBe(first);
    expect(view.node.children).toHaveLength(3);
  });
});
