import { beforeEach, expect, it } from "vitest";
import { keepFocus } from "../widgets/focus";

const BUTTONS = "<button aria-label='Next'>›</button><button aria-label='Next'>›</button><textarea></textarea>";
let node: HTMLElement;

beforeEach(() => {
  node = document.createElement("div");
  node.innerHTML = BUTTONS;
  document.body.replaceChildren(node);
});

function controls(): HTMLElement[] {
  return [...node.querySelectorAll<HTMLElement>("button, textarea")];
}

/** Where the focus is after this change, when it was on the second button before. */
function focusedAfter(change: () => void): number {
  controls()[1]?.focus();
  keepFocus(node, change, () => node.querySelector("textarea") ?? node);
  return controls().findIndex((control) => control === document.activeElement);
}

it("stays on a control that stays", () => {
  expect(focusedAfter(() => controls()[0]?.remove())).toBe(0);
});

it("goes to the control that has come in its place", () => {
  expect(
    focusedAfter(() => {
      node.innerHTML = BUTTONS;
    }),
  ).toBe(1);
});

it.each([
  ["hidden", (control: HTMLElement | undefined) => control?.setAttribute("hidden", "")],
  ["disabled", (control: HTMLElement | undefined) => control?.setAttribute("disabled", "")],
])("goes elsewhere from one that is %s", (_how, change) => {
  expect(focusedAfter(() => change(controls()[1]))).toBe(2);
});

it("takes no focus that is somewhere else", () => {
  const elsewhere = document.body.appendChild(document.createElement("input"));
  elsewhere.focus();
  keepFocus(node, () => { node.innerHTML = ""; }, () => node);
  expect(document.activeElement).toBe(elsewhere);
});
