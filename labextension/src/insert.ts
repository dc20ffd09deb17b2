import type { Application, IPlugin } from "@lumino/application";
import { cellsAround, insertBelow, type Shell } from "./notebooks";

/** A playground fires it with a Model's code, which is put into a cell and is not run. */
const EVENT = "kubeai:insert";
/** On the page's body, so that a playground knows that somebody hears it. */
const INSERTS = "kubeai-inserts";

export const insert: IPlugin<Application<Shell>, void> = {
  id: "kubeai-notebook:insert",
  description: "Puts code that a Model has written into a new cell below its playground.",
  autoStart: true,
  activate: (app) => {
    document.body.classList.add(INSERTS);
    document.body.addEventListener(EVENT, (event) => {
      const code: unknown = event instanceof CustomEvent ? event.detail : undefined;
      if (!(event.target instanceof HTMLElement) || typeof code !== "string") return;
      for (const [{ content }, cell] of cellsAround(app.shell, event.target)) {
        insertBelow(content, content.widgets.indexOf(cell), code);
      }
    });
  },
};
