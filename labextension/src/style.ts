/**
 * Put rules into the page.
 *
 * Not by the `style` of package.json, nor by an import that rspack sees: each of them brings a loader along that is three
 * times as large as what every page has to know.
 */
export function addStyle(css: string): void {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
}
