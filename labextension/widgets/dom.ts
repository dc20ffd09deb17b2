import type { Card } from "./types";

const SVG = "http://www.w3.org/2000/svg";

// 16 × 16, strokes of 1.6. Every shape differs, so that no tone depends on its colour; the phase's word stands beside it.
const SHAPES: Record<Card["tone"], readonly string[]> = {
  busy: ["M8 2a6 6 0 1 1-6 6"],
  good: ["M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0", "M5.2 8.2l2 2 3.6-4.2"],
  warn: ["M8 2.2 14.4 13.4H1.6z", "M8 6.4v3.2", "M8 11.6v.1"],
  bad: ["M5.4 1.8h5.2l3.6 3.6v5.2l-3.6 3.6H5.4L1.8 10.6V5.4z", "M5.8 5.8l4.4 4.4", "M10.2 5.8l-4.4 4.4"],
  quiet: ["M13.4 9.6A5.8 5.8 0 1 1 6.4 2.6a4.6 4.6 0 0 0 7 7z"],
  gone: ["M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0", "M5.4 8h5.2"],
};

export function iconOf(tone: Card["tone"]): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  for (const shape of SHAPES[tone]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", shape);
    svg.append(path);
  }
  return svg;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  text = "",
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  if (className !== "") node.className = className;
  node.textContent = text;
  return node;
}

/** Write text only where it differs: a live region speaks at every write. */
export function putText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** The same, and no room for an empty line. */
export function put(node: HTMLElement, text: string): void {
  putText(node, text);
  node.hidden = text === "";
}
