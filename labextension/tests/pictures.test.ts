import { beforeEach, expect, it, vi } from "vitest";
import { MOST_BYTES, pictureNode, PicturesView } from "../widgets/pictures";

const PNG = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]);

beforeEach(() => {
  document.body.replaceChildren();
});

function shown() {
  const around = document.body.appendChild(document.createElement("div"));
  const told = vi.fn<(problem: string) => void>();
  const view = new PicturesView(around, told);
  around.append(view.node);
  return { around, told, view };
}

/** What a browser does when files are pasted or dropped; whether that was taken. */
function receives(around: HTMLElement, kind: "paste" | "drop", files: File[]): boolean {
  const event = new Event(kind, { bubbles: true, cancelable: true });
  Object.assign(event, { clipboardData: { files }, dataTransfer: { files } });
  around.dispatchEvent(event);
  return event.defaultPrevented;
}

it.each(["paste", "drop"] as const)("takes a picture by %s, shows it from its bytes, and takes it away", async (kind) => {
  const { around, view } = shown();
  expect(receives(around, kind, [new File([PNG], "a.png", { type: "image/png" })])).toBe(true);
  await vi.waitFor(() => {
    expect(view.urls).toEqual(["data:image/png;base64,iVBORw0KGgo="]);
  });
  expect(around.querySelector("img")?.src).toBe(view.urls[0]);
  around.querySelector<HTMLButtonElement>("[aria-label='Take away picture 1']")?.click();
  expect([view.urls, view.node.hidden]).toEqual([[], true]);
});

it("leaves text to the browser", () => {
  const { around } = shown();
  expect(receives(around, "paste", [])).toBe(false);
});

it.each([
  ["a.svg", "image/svg+xml", 10, "is not a PNG"],
  ["a.png", "image/png", MOST_BYTES + 1, "is too large"],
])("says why it does not take %s", async (name, type, size, why) => {
  const { told, view } = shown();
  await view.take([new File([new Uint8Array(size)], name, { type })]);
  expect(told).toHaveBeenLastCalledWith(expect.stringContaining(why));
  expect(view.urls).toEqual([]);
});

it("asks whether the model reads pictures only where that is not known", () => {
  const { view } = shown();
  const label = view.node.querySelector("label");
  expect(label?.hidden).toBe(false);
  view.show(true);
  expect(label?.hidden).toBe(true);
});

it.each(["https://a.b/c.png", "data:image/svg+xml;base64,AAAA", "data:text/html,x", "javascript:x", "/x.png"])(
  "fetches nothing for %s",
  (url) => {
    expect(pictureNode(url, "x").hasAttribute("src")).toBe(false);
  },
);
