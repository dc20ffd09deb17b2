/** Put rules into the page: by the `style` of package.json they would be a module of their own to load. */
export function addStyle(css: string): void {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
}
