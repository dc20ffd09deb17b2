import type { ISettingRegistry } from "@jupyterlab/settingregistry";

/** Where Models are: an empty one is left to the kernel or the server. */
export interface Place {
  context: string;
  namespace: string;
  endpoint: string;
}

/** The plugin whose schema holds the settings of all. */
export const PLUGIN = "kubeai-notebook:plugin";

/** The settings; none where this JupyterLab keeps none. */
export async function settingsOf(registry: ISettingRegistry | null): Promise<ISettingRegistry.ISettings | null> {
  return (await registry?.load(PLUGIN).catch(() => null)) ?? null;
}
