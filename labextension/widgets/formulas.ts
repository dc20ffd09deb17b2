import temml from "temml";

/**
 * A formula as MathML, for a page that has met one: too large to be sent to all. Only temml's tree is read, and each of
 * its nodes becomes an element of the list below: no string becomes HTML, and no class, link, colour or position of a
 * formula's own leaves its place or hides a word of it.
 */
const MATHML = "http://www.w3.org/1998/Math/MathML";
const ELEMENTS = new Set(
  (
    "math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mmultiscripts " +
    "mprescripts none mtable mtr mtd mstyle mpadded mphantom menclose"
  ).split(" "),
);
const ATTRIBUTES = new Set(
  (
    "accent columnalign depth display displaystyle fence form height largeop linethickness lspace mathvariant maxsize " +
    "minsize movablelimits notation rowspacing rspace scriptlevel separator stretchy symmetric voffset width"
  ).split(" "),
);
const STYLES = new Set(
  "borderBottom borderLeft borderRight borderTop fontWeight mathDepth paddingBottom paddingTop textAlign".split(" "),
);
const VALUE = /^[\w .%+-]{0,40}$/;
/** Temml lays out by invisible operators; what else cannot be seen is left out. */
const UNSEEN = /[^\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}\u2061-\u2064]/gu;
/** A command that defines another one can make much out of little. */
const DEFINES = /\\(?:[gex]?def|let|futurelet|global|long|(?:re|provide)?(?:new)?command)(?![a-zA-Z])/;
const LONGEST = 2_000;
const MOST_NODES = 5_000;
/** Levels of a formula: what lies deeper takes long to lay out, and cannot be read. */
const DEEPEST = 100;

interface Tree {
  type?: string;
  text?: string;
  children?: Tree[];
  attributes?: Record<string, unknown>;
  style?: Record<string, unknown>;
}

/** The formula as an element; nothing where it cannot be read, or is none that is drawn here. */
export function formulaOf(tex: string, display: boolean): Node | undefined {
  if (tex.length > LONGEST || DEFINES.test(tex)) return undefined;
  const maxSize: [number, number] = [20, 20];
  const options = { displayMode: display, throwOnError: true, trust: false, maxSize, maxExpand: 200 };
  try {
    let left = MOST_NODES;
    const nodeOf = (tree: Tree, depth: number): Node => {
      left -= 1;
      if (left < 0 || depth > DEEPEST) throw new Error("a formula of too many nodes");
      if (tree.text !== undefined) return document.createTextNode(tree.text.replace(UNSEEN, ""));
      return elementOf(tree, (child) => nodeOf(child, depth + 1));
    };
    return nodeOf(temml.__renderToMathMLTree(tex, options) as Tree, 0);
  } catch {
    return undefined; // what a model takes for a formula is often none
  }
}

function elementOf({ type, children = [], attributes = {}, style = {} }: Tree, nodeOf: (tree: Tree) => Node): Node {
  if (type === undefined && Object.keys(attributes).length === 0) {
    const fragment = document.createDocumentFragment();
    fragment.append(...children.map(nodeOf));
    return fragment;
  }
  if (type === undefined || !ELEMENTS.has(type)) throw new Error(`no part of a formula: ${String(type)}`);
  const node = document.createElementNS(MATHML, type);
  for (const [name, value] of Object.entries(attributes)) {
    if (ATTRIBUTES.has(name) && VALUE.test(String(value))) node.setAttribute(name, String(value));
  }
  const styles = Object.entries(style).filter(([name, value]) => STYLES.has(name) && VALUE.test(String(value)));
  if (styles.length > 0) node.setAttribute("style", styles.map(([name, value]) => `${hyphened(name)}:${String(value)}`).join(";"));
  node.append(...children.map(nodeOf));
  return node;
}

function hyphened(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
