import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { INotebookTracker } from "@jupyterlab/notebook";
import type { ISettingRegistry } from "@jupyterlab/settingregistry";
import { insertInto } from "../notebooks";
import { serverHalf } from "../server";
import { settingsOf } from "../settings";
import { ModelsPanel } from "./panel";

/** The sidebar's inside, beside these notebooks. */
export function panelOf(
  app: JupyterFrontEnd,
  notebooks: INotebookTracker | null,
  registry: ISettingRegistry | null,
): ModelsPanel {
  let confirms = true;
  const panel = new ModelsPanel({
    server: app.serviceManager.serverSettings.baseUrl,
    fetcher: serverHalf(app).fetcher,
    hasCommand: (name) => app.commands.hasCommand(name),
    execute: (name, values) => {
      void app.commands.execute(name, values);
    },
    // The one that was used last: what is current may be another tab, or this sidebar in the main area.
    insert: (code) => insertInto(notebooks?.currentWidget ?? null, code),
    confirms: () => confirms,
  });
  void settingsOf(registry).then((settings) => {
    const read = () => {
      confirms = settings?.composite.confirmations !== false;
      panel.later();
    };
    settings?.changed.connect(read);
    read();
  });
  return panel;
}
