const CONTROLS = "button, textarea, select, input, summary, [tabindex]";

/**
 * Change what a node shows, and keep the focus that its reader has in it: on the control itself, on the one that has
 * come in its place, or on the `otherwise`. A focus that is lost begins anew at the top of the page.
 */
export function keepFocus(node: HTMLElement, change: () => void, otherwise: () => HTMLElement): void {
  const before = document.activeElement;
  const focused = before instanceof HTMLElement && node.contains(before) ? before : undefined;
  const place = focused === undefined ? -1 : alike(node, focused).indexOf(focused);
  change();
  if (focused === undefined || (focused.isConnected && canFocus(focused))) return;
  const next = alike(node, focused)[place];
  (next !== undefined && canFocus(next) ? next : otherwise()).focus();
}

/** The controls of this name, in their order. */
function alike(node: HTMLElement, control: HTMLElement): HTMLElement[] {
  return [...node.querySelectorAll<HTMLElement>(CONTROLS)].filter((one) => nameOf(one) === nameOf(control));
}

function nameOf(control: HTMLElement): string {
  return control.getAttribute("aria-label") ?? control.textContent;
}

function canFocus(control: HTMLElement): boolean {
  return control.closest("[hidden]") === null && !control.matches(":disabled");
}
