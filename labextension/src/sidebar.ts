import type { Application, IPlugin } from "@lumino/application";
import { Widget } from "@lumino/widgets";
import { icon } from "./icon";

/** The part of JupyterLab's shell that a sidebar needs; its own type would pull in half of JupyterLab. */
interface Shell extends Widget {
  add(widget: Widget, area: "left", options: { rank: number }): void;
}

const LINES: readonly (readonly [string, string])[] = [
  ["Load the magics in a notebook:", "%load_ext kubeai_notebook"],
  ["Then serve a small model:", "%kubeai_serve smol --engine OLlama --url ollama://smollm2:135m"],
];

export const sidebar: IPlugin<Application<Shell>, void> = {
  id: "kubeai-notebook:sidebar",
  description: "How to start with KubeAI, in the left sidebar.",
  autoStart: true,
  activate: (app) => {
    const panel = new Widget({ node: content() });
    panel.id = "kubeai-sidebar";
    panel.title.caption = "KubeAI";
    panel.title.icon = { render: icon };
    app.shell.add(panel, "left", { rank: 700 });
  },
};

function content(): HTMLElement {
  const node = element("section", "kubeai-sidebar");
  const heading = element("h2", "kubeai-sidebar-heading", "KubeAI");
  heading.id = "kubeai-sidebar-heading";
  node.setAttribute("aria-labelledby", heading.id);
  const intro = element("p", "", "Serve open models from a notebook, on a cluster or on this machine.");
  node.append(heading, intro, ...LINES.map(([label, code]) => line(label, code)));
  return node;
}

function line(label: string, code: string): HTMLElement {
  const node = element("div", "kubeai-sidebar-line");
  const source = element("code", "", code);
  const button = element("button", "jp-mod-styled jp-mod-minimal", "Copy");
  button.type = "button";
  button.setAttribute("aria-label", `Copy ${code}`);
  const said = element("span", "kubeai-sidebar-said");
  said.setAttribute("role", "status");
  button.addEventListener("click", () => {
    void copy(source, button, said);
  });
  node.append(element("p", "", label), source, button, said);
  return node;
}

async function copy(source: HTMLElement, button: HTMLElement, said: HTMLElement): Promise<void> {
  let word = "Copied";
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // No clipboard without https or permission: leave the line selected for the reader's own copy.
    getSelection()?.selectAllChildren(source);
    word = "Selected";
  }
  button.textContent = said.textContent = word;
  setTimeout(() => {
    button.textContent = "Copy";
    said.textContent = "";
  }, 2000);
}

function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  text = "",
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}
