import { ITranslator } from "@jupyterlab/translation";
import type { Application, IPlugin } from "@lumino/application";
import { trans } from "../shared/translate";
import type { ModelPlace } from "./follow";
import { speakAs } from "./language";
import { cellsAround, isNotebook, type Shell } from "./notebooks";

/**
 * The way back from a card whose kernel has gone: a live one fires an event, a saved one has a button in its snapshot,
 * which only this extension shows. A saved notebook is anybody's, so a click on it runs no words of the notebook's: the
 * name and the namespace are read as such, and the code is written here.
 */
const EVENT = "kubeai:reconnect";
/** On the page's body, so that a card knows that somebody hears it. */
const RECONNECTS = "kubeai-reconnects";
const LINE = /^%kubeai_attach (\S+) -n (\S+)$/;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const COMMAND = "kubeai:reconnect";

/** Loaded when a button is clicked: most pages never need it. */
const follow: typeof import("./follow").follow = async (...given) => (await import("./follow")).follow(...given);

export const reconnect: IPlugin<Application<Shell>, void> = {
  id: "kubeai-notebook:reconnect",
  description: "Follows a Model again from a card whose kernel has gone.",
  autoStart: true,
  requires: [ITranslator],
  activate: (app, translator: ITranslator) => {
    speakAs(translator);
    app.commands.addCommand(COMMAND, {
      label: trans.__("Reconnect to a Model"),
      execute: async (args) => {
        const panel = app.shell.currentWidget;
        const place = placeOf(args.name, args.namespace);
        if (panel === null || !isNotebook(panel) || place === undefined) return;
        await follow(panel, panel.content.activeCell, place);
      },
    });
    const clicked = (target: EventTarget | null, place: ModelPlace | undefined) => {
      if (!(target instanceof HTMLElement) || place === undefined) return;
      for (const [panel, cell] of cellsAround(app.shell, target)) {
        void follow(panel, cell, place, target.closest<HTMLElement>(".kubeai-card"));
      }
    };
    document.body.classList.add(RECONNECTS);
    document.body.addEventListener(EVENT, (event) => {
      const detail: unknown = event instanceof CustomEvent ? event.detail : undefined;
      clicked(event.target, isPlace(detail) ? placeOf(detail.name, detail.namespace) : undefined);
    });
    document.body.addEventListener("click", (event) => {
      if (event.target instanceof HTMLElement && event.target.matches(".kubeai-snapshot .kubeai-reconnect")) {
        clicked(event.target, savedPlace(event.target));
      }
    });
  },
};

/** The Model that a snapshot names in the line to run. */
function savedPlace(button: HTMLElement): ModelPlace | undefined {
  const lines = button.closest(".kubeai-snapshot")?.querySelectorAll("code") ?? [];
  const [, name, namespace] = [...lines].map((line) => LINE.exec(line.textContent)).find((match) => match) ?? [];
  return placeOf(name, namespace);
}

function placeOf(name: unknown, namespace: unknown): ModelPlace | undefined {
  const valid = typeof name === "string" && typeof namespace === "string" && NAME.test(name) && NAME.test(namespace);
  return valid ? { name, namespace } : undefined;
}

function isPlace(detail: unknown): detail is ModelPlace {
  return typeof detail === "object" && detail !== null && "name" in detail && "namespace" in detail;
}
