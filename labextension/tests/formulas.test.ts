import { describe, expect, inject, it, vi } from "vitest";
import { Formulas } from "../widgets/formula";
import { formulaOf } from "../widgets/formulas";
import { MarkdownView } from "../widgets/markdown";

const MATHML = "http://www.w3.org/1998/Math/MathML";
const ATTRIBUTES = new Set(
  ("accent columnalign depth display displaystyle fence form height largeop linethickness lspace mathvariant maxsize " +
    "minsize movablelimits notation rowspacing rspace scriptlevel separator stretchy style symmetric voffset width").split(" "),
);

/** The words of what is drawn, with each formula that a text holds as ⟨…⟩ or, on lines of its own, as ⟪…⟫. */
function drawn(...pieces: string[]): string {
  const view = new MarkdownView(undefined, (place, tex, display) => {
    place.textContent = display ? `⟪${tex.trim()}⟫` : `⟨${tex.trim()}⟩`;
  });
  for (const piece of pieces) view.append(piece);
  return view.node.textContent;
}

function element(tex: string): Element {
  const node = formulaOf(tex, true);
  if (!(node instanceof Element)) throw new Error(`not drawn: ${tex}`);
  return node;
}

describe("formulas in Markdown", () => {
  it.each([
    ["So \\(a_i * b_i\\) is", "So ⟨a_i * b_i⟩ is"],
    ["\\[\na\n+ b\n= c\n\\]", "⟪a\n+ b\n= c⟫"],
    ["$$\\frac12$$", "⟪\\frac12⟫"],
    ["Then $$x$$ and\n$$\ny\n$$\nend", "Then ⟪x⟫ and⟪y⟫end"],
    ["- \\(a\\)\n- $$b$$", "⟨a⟩⟪b⟫"],
    ["It costs $5 or $6.", "It costs $5 or $6."],
    ["`\\(a\\)` and \\(b", "\\(a\\) and \\(b"],
    ["```\n$$a$$\n```", "$$a$$"],
    ["$$\n\n$$", "$$$$"],
    ["\\[ a\n\n- b", "\\[ ab"],
  ])("reads %j, whole and in pieces", (text, expected) => {
    expect(drawn(text).trim()).toBe(expected);
    expect(drawn(...text.split("")).trim()).toBe(expected);
  });

  it.each(inject("hostile"))("draws of %s nothing but formulas", (_id, text) => {
    const view = new MarkdownView(undefined, (place, tex, display) => {
      const formula = formulaOf(tex, display);
      if (formula !== undefined) place.replaceChildren(formula);
    });
    for (const piece of text.slice(0, 500).match(/[^]{1,7}/g) ?? []) view.append(piece);
    view.append(text.slice(500));
    for (const part of view.node.querySelectorAll("math *")) {
      expect(part.namespaceURI).toBe(MATHML);
      expect(part.getAttributeNames().filter((name) => !ATTRIBUTES.has(name))).toEqual([]);
    }
    expect(view.node.querySelector("script, img, iframe, style, svg, form, input, [onclick], [src]")).toBeNull();
  });

  it("asks for the module until it comes, and draws what came before it", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const ask = vi.fn(() => true);
    const formulas = new Formulas(ask);
    const view = new MarkdownView(undefined, formulas.draw);
    view.append("No formula.");
    expect(ask).not.toHaveBeenCalled();
    view.append(" \\(a\\) and \\(b\\)");
    expect(ask).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(2_500);
    expect(ask).toHaveBeenCalledTimes(2);
    expect(view.node.textContent).toBe("No formula. \\(a\\) and \\(b\\)");
    vi.spyOn(URL, "createObjectURL").mockReturnValue("data:text/javascript,export const formulaOf = (tex) => new Text(tex + '!')");
    vi.spyOn(URL, "revokeObjectURL").mockReturnValue();
    await formulas.take("");
    expect(view.node.textContent).toBe("No formula. a! and b!");
    vi.advanceTimersByTime(60_000);
    expect(ask).toHaveBeenCalledTimes(2);
    vi.useRealTimers();
  });
});

describe("a formula", () => {
  it.each([
    "\\frac{a}{b} + \\sqrt[3]{x}",
    "\\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix}",
    "\\begin{aligned} x &= 1 \\\\ y &= 2 \\end{aligned}",
    "\\sum_{i=1}^{n} x_i \\longrightarrow \\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}",
    "\\begin{cases} 1 & \\text{if } x > 0 \\\\ 0 & \\text{otherwise} \\end{cases}",
    "\\left( \\mathbf{A}^\\top \\hat{\\beta} \\right) \\in \\mathbb{R}^{n \\times m}",
    "\\boxed{42}",
    "P(A \\mid B) \\approx \\operatorname{softmax}(z)",
    "\\textcolor{white}{secret}",
  ])("is MathML: %s", (tex) => {
    const node = element(tex);
    expect(node.localName).toBe("math");
    for (const part of [node, ...node.querySelectorAll("*")]) {
      expect(part.namespaceURI).toBe(MATHML);
      expect(part.getAttributeNames().filter((name) => !ATTRIBUTES.has(name))).toEqual([]);
      expect(part.getAttribute("style") ?? "").not.toMatch(/url|position|color|margin|left:|expression/);
    }
  });

  it.each([
    "\\href{javascript:alert(1)}{x}",
    "\\url{https://a.b}",
    "\\includegraphics{https://a.b/c.png}",
    "\\html@mathml{<b>}{x}",
    "\\htmlClass{a}{x}",
    "\\style{position:fixed}{x}",
    "\\class{a}{x}",
    "\\id{a}{x}",
    "\\def\\a{\\a\\a}\\a",
    "\\newcommand{\\a}{x}\\a",
    "\\let\\a=b",
    "\\unknown",
    "{".repeat(900),
    "x".repeat(2_001),
  ])("stays as it was written: %s", (tex) => {
    expect(formulaOf(tex, true)).toBeUndefined();
  });

  it.each([
    ["^{".repeat(600) + "x" + "}".repeat(600)],
    ["\\sqrt{".repeat(280) + "x" + "}".repeat(280)],
    ["\\begin{matrix}" + "&".repeat(1_900) + "\\end{matrix}"],
    ["\\overbrace{".repeat(160) + "x" + "}".repeat(160)],
    ["\\hspace{99999em}\\rule{99999em}{99999em}"],
    ["\\dddot".repeat(300)],
  ])("takes no longer than a moment: %s", (tex) => {
    formulaOf(tex, true);
  }, 1_000);

  it("shows no character that hides others", () => {
    expect(formulaOf("\\text{a\\char\"202E{}b}", true)?.textContent ?? "ab").toBe("ab");
    expect(formulaOf("\\text{a\u202eb}", true)?.textContent ?? "ab").toBe("ab");
  });
});
