import { trans } from "./translate";
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

/**
 * Keys that are pressed in this node are meant for it. JupyterLab would take letters as shortcuts of the notebook, and
 * of a text that stands in a cell it prevents Enter (a new line) and Ctrl+Z whenever it hears of their keydown.
 */
export function keepKeys(node: HTMLElement): void {
  node.dataset.lmSuppressShortcuts = "true";
  node.addEventListener("keydown", (event) => {
    event.stopPropagation();
  });
}

/** Whether its reader can see it: neither in another window nor in a tab of JupyterLab's that lies behind. */
export function isSeen(node: HTMLElement): boolean {
  return document.visibilityState === "visible" && node.checkVisibility();
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

/** A button that says what it does; `label` says it where the text is a sign. */
export function button(text: string, label = ""): HTMLButtonElement {
  const node = element("button", "kubeai-button", text);
  node.type = "button";
  if (label !== "") node.setAttribute("aria-label", label);
  node.addEventListener("click", (event) => {
    if (node.getAttribute("aria-disabled") === "true") event.stopImmediatePropagation();
  });
  return node;
}

/** Whether what a button has started goes on; unlike one that is `disabled`, it keeps the focus. */
export function setBusy(pressed: HTMLButtonElement | undefined, busy: boolean): void {
  pressed?.setAttribute("aria-disabled", String(busy));
}

/** Have `stop` called at the end: by anywidget's signal or, in a host that gives none, by the function returned. */
export function atEnd(signal: AbortSignal | undefined, stop: () => void): (() => void) | undefined {
  if (signal === undefined) return stop;
  signal.addEventListener("abort", stop, { once: true });
  return undefined;
}

/** A line to copy, with its button. */
export function copyable(line: string): HTMLElement {
  const node = element("span", "kubeai-copy");
  const code = element("code", "", line);
  const copy = button(trans.__("Copy"), trans.__("Copy %1", line));
  copy.addEventListener("click", () => {
    void copyInto(code, copy);
  });
  node.append(code, " ", copy);
  return node;
}

/**
 * Copy a text, by default that of the node; where there is no clipboard the node is selected. Whether it was copied.
 */
export async function copyInto(code: HTMLElement, pressed: HTMLButtonElement, text = code.textContent): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    putText(pressed, trans.__("Copied"));
    return true;
  } catch {
    // No clipboard without https or permission: then the line is left selected for the reader's own copy.
    getSelection()?.selectAllChildren(code);
    putText(pressed, trans.__("Selected"));
    return false;
  }
}
