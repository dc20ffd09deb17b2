import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { IConsoleTracker } from "@jupyterlab/console";
import { ILauncher } from "@jupyterlab/launcher";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { ITranslator } from "@jupyterlab/translation";
import { trans } from "../shared/translate";
import { labIcon } from "./icon";
import { kindOf, TAB, titleOf, type Kind } from "./tab_kinds";
import { speakAs } from "./language";
import { PLUGIN, settingsOf, type Place } from "./settings";

/**
 * The form and the playground of Python, each in a tab of the main area with a kernel of its own.
 *
 * A tab is one of JupyterLab's consoles without its prompt: ipywidgets gives notebooks and consoles a manager of widgets,
 * and exports none for an output that stands alone. The path of its session says what it shows, so that a tab that
 * JupyterLab's own layout restorer brings back after a reload is known again, and shows the same Python object.
 * What a tab is made by is loaded with the first one.
 */
const CATEGORY = "KubeAI";
const COMMANDS = ["kubeai:serve", "kubeai:playground"];

export const tabs: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: "Serve a Model, or try one, in a tab of its own.",
  autoStart: true,
  requires: [IConsoleTracker, ITranslator],
  // Notebook 7 has no launcher, and shares no package of it.
  optional: [ICommandPalette, ISettingRegistry, ILauncher].filter(Boolean),
  activate: (
    app,
    consoles: IConsoleTracker,
    translator: ITranslator,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    launcher: ILauncher | null | undefined,
  ) => {
    speakAs(translator);
    const place = placeOf(app, registry);
    consoles.widgetAdded.connect((_, panel) => {
      const kind = kindOf(panel.sessionContext.path);
      if (kind === undefined) return;
      // At once: else its prompt would be seen until the rest is loaded, and who opens a tab gives it the focus.
      panel.addClass(TAB);
      panel.node.tabIndex = -1;
      void import("./tab").then(({ adopt }) => {
        if (!panel.isDisposed) adopt(app, panel, kind, place);
      });
    });
    add(app, "kubeai:serve", "serve");
    add(app, "kubeai:playground", "playground");
    for (const command of ["kubeai:models", ...COMMANDS]) palette?.addItem({ command, category: CATEGORY });
    for (const [rank, command] of COMMANDS.entries()) launcher?.add({ command, category: CATEGORY, rank });
  },
};

function add(app: JupyterFrontEnd, command: string, kind: Kind): void {
  app.commands.addCommand(command, {
    label: titleOf(kind),
    caption: kind === "serve" ? trans.__("Fill in a form and serve a Model with KubeAI") : trans.__("Talk to a Model that is served"),
    icon: labIcon,
    execute: async ({ name }) => {
      const { openNew } = await import("./tab");
      await openNew(app, kind, typeof name === "string" ? name : undefined);
    },
  });
}

/** The place that the settings name; the server half is told to work there, too. */
async function placeOf(app: JupyterFrontEnd, registry: ISettingRegistry | null): Promise<Place> {
  const place: Place = { context: "", namespace: "", endpoint: "" };
  const settings = await settingsOf(registry);
  if (settings === null) return place;
  const read = () => {
    const before = [place.context, place.namespace].join();
    for (const key of ["context", "namespace", "endpoint"] as const) {
      const value = settings.composite[key];
      place[key] = typeof value === "string" ? value : "";
    }
    if (before === [place.context, place.namespace].join()) return;
    const { context, namespace } = place;
    void import("./server").then(({ serverHalf }) => serverHalf(app).workAt({ context, namespace }));
  };
  settings.changed.connect(read);
  read();
  return place;
}
