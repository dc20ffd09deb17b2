import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette, InputDialog, Notification, showErrorMessage } from "@jupyterlab/apputils";
import { IConsoleTracker, type ConsolePanel } from "@jupyterlab/console";
import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection, type Kernel } from "@jupyterlab/services";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { UUID } from "@lumino/coreutils";
import { Widget } from "@lumino/widgets";
import { codeOf, kindOf, pathOf, TITLES, type Kind, type Place } from "./tab_code";
import { labIcon } from "./icon";
import { answerOf, Refusal } from "./sidebar/request";

/**
 * The form and the playground of Python, each in a tab of the main area with a kernel of its own.
 *
 * A tab is one of JupyterLab's consoles without its prompt: ipywidgets gives notebooks and consoles a manager of widgets,
 * and exports none for an output that stands alone. The path of its session says what it shows, so that a tab that
 * JupyterLab's own layout restorer brings back after a reload is known again, and shows the same Python object.
 */
const CATEGORY = "KubeAI";
const COMMANDS = ["kubeai:serve", "kubeai:playground"];
const PLUGIN = "kubeai-notebook:plugin";
const ENDED: readonly Kernel.Status[] = ["autorestarting", "dead", "restarting", "terminating"];

export const tabs: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: "Serve a Model, or try one, in a tab of its own.",
  autoStart: true,
  requires: [IConsoleTracker],
  optional: [ICommandPalette, ISettingRegistry],
  activate: (app, consoles: IConsoleTracker, palette: ICommandPalette | null, registry: ISettingRegistry | null) => {
    const place = placeOf(app, registry);
    consoles.widgetAdded.connect((_, panel) => {
      const path = panel.sessionContext.path;
      const kind = kindOf(path);
      if (kind !== undefined) adopt(app, panel, kind, async () => codeOf(path, await place));
    });
    add(app, "kubeai:serve", "serve", () => Promise.resolve(""));
    add(app, "kubeai:playground", "playground", async (name) => name ?? (await chosenName(app)));
    for (const command of COMMANDS) palette?.addItem({ command, category: CATEGORY });
    void addCards(app);
  },
};

/** Notebook 7 has no launcher and shares no package of it: naming it above would keep this whole extension out. */
async function addCards(app: JupyterFrontEnd): Promise<void> {
  const launchers = await import("@jupyterlab/launcher").catch(() => null);
  const launcher = launchers && (await app.resolveOptionalService(launchers.ILauncher));
  for (const [rank, command] of COMMANDS.entries()) launcher?.add({ command, category: CATEGORY, rank });
}

function add(app: JupyterFrontEnd, command: string, kind: Kind, nameOf: (given?: string) => Promise<string | null>): void {
  app.commands.addCommand(command, {
    label: TITLES[kind],
    caption: kind === "serve" ? "Fill in a form and serve a Model with KubeAI" : "Talk to a Model that is served",
    icon: labIcon,
    execute: async ({ name }) => {
      const model = await nameOf(typeof name === "string" ? name : undefined);
      if (model === null) return;
      await open(app, pathOf(kind, model, UUID.uuid4()), model ? `${TITLES[kind]}: ${model}` : TITLES[kind]);
    },
  });
}

/** Open a console for this path, which says what it shows. */
async function open(app: JupyterFrontEnd, path: string, name: string, where: { ref?: string; insertMode?: string } = {}) {
  const kernelPreference = { name: app.serviceManager.kernelspecs.specs?.default ?? "python3", shutdownOnDispose: true };
  const options = { path, name, kernelPreference, activate: true, ...where };
  const panel = (await app.commands.execute("console:create", options)) as ConsolePanel;
  // JupyterLab gives the focus to the prompt, which is hidden here; the tab that has it is the current one.
  panel.node.focus();
}

/** Show the form or the playground in a console, now and again after its kernel has ended. */
function adopt(app: JupyterFrontEnd, panel: ConsolePanel, kind: Kind, code: () => Promise<string>): void {
  const context = panel.sessionContext;
  context.kernelPreference = { ...context.kernelPreference, shutdownOnDispose: true };
  panel.addClass("kubeai-tab");
  panel.title.iconClass = "";
  panel.title.icon = labIcon;
  panel.title.caption = TITLES[kind];
  panel.toolbar.hide();
  panel.node.tabIndex = -1;
  const show = async () => {
    await context.ready;
    panel.console.clear();
    await panel.console.inject(await code());
  };
  const restart = async () => {
    const { kernel } = context.session ?? {};
    if (kernel) await settled(kernel);
    if (kernel && kernel.status !== "dead" && !kernel.isDisposed) {
      notice.hide();
      await show();
      return;
    }
    // A console's manager of widgets is for its first kernel only: another kernel needs another console.
    await context.shutdown();
    await open(app, context.path, panel.title.label, { ref: panel.id, insertMode: "tab-after" });
    panel.dispose();
  };
  const notice = endedNotice(() => void restart());
  panel.contentHeader.addWidget(notice);
  context.statusChanged.connect((_, status) => {
    if (ENDED.includes(status)) notice.show();
  });
  context.kernelChanged.connect((_, { oldValue, newValue }) => {
    // A first kernel that is on its way is null, too, and so was what was before.
    if (oldValue !== null && newValue === null && !panel.isDisposed) notice.show();
  });
  void show();
}

/**
 * Wait until a kernel has come back, or will not.
 *
 * The server itself restarts a kernel that died, and JupyterLab one whose menu was used: a restart of ours beside theirs
 * ends in a tab without a form, since the later of the two takes away what was shown between them.
 */
function settled(kernel: Kernel.IKernelConnection): Promise<void> {
  return new Promise((done) => {
    const look = () => {
      if (ENDED.includes(kernel.status) && kernel.status !== "dead" && !kernel.isDisposed) return;
      kernel.statusChanged.disconnect(look);
      done();
    };
    kernel.statusChanged.connect(look);
    look();
  });
}

function endedNotice(restart: () => void): Widget {
  const node = document.createElement("div");
  const text = document.createElement("span");
  text.textContent = "The kernel of this tab has ended; Models that were served go on. ";
  const button = document.createElement("button");
  button.className = "jp-mod-styled jp-mod-accept";
  button.textContent = "Restart";
  button.addEventListener("click", restart);
  node.append(text, button);
  const notice = new Widget({ node });
  notice.addClass("kubeai-tab-ended");
  node.setAttribute("role", "alert");
  notice.hide();
  return notice;
}

/** The name of a Model that the user chooses; null where they choose none. */
async function chosenName(app: JupyterFrontEnd): Promise<string | null> {
  const names = await modelNames(app);
  const title = "Model playground";
  const { value } =
    names.length > 0
      ? await InputDialog.getItem({ title, label: "Model", items: names })
      : await InputDialog.getText({ title, label: "Name of a Model that is served" });
  return value === "" ? null : value;
}

/** The Models that the server half knows; none where it is missing or cannot reach its cluster. */
async function modelNames(app: JupyterFrontEnd): Promise<string[]> {
  const answer = await request(app, "models", {}).catch(() => null);
  if (!answer?.ok) return [];
  const { rows } = (await answer.json()) as { rows?: { name: string }[] };
  return rows?.map(({ name }) => name) ?? [];
}

function request(app: JupyterFrontEnd, path: string, init: RequestInit): Promise<Response> {
  const settings = app.serviceManager.serverSettings;
  return ServerConnection.makeRequest(URLExt.join(settings.baseUrl, "kubeai", path), init, settings);
}

/** Have the server half work where the settings say; whoever wrote them hears why it does not. */
async function workThere(app: JupyterFrontEnd, { context, namespace }: Place): Promise<void> {
  if (refused !== "") Notification.dismiss(refused);
  try {
    await answerOf((path, init) => request(app, path, init ?? {}), "POST", "where", { context, namespace });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // A server half that is missing says so in the sidebar.
    if (error.notices.some(({ code }) => code === "ServerHalfMissing" || code === "JupyterAway")) return;
    // A notification holds 140 characters.
    const message = "KubeAI cannot work where its settings say; the Jupyter server stays in the place it was in.";
    const callback = () => void showErrorMessage("KubeAI's settings", error.message);
    refused = Notification.error(message, { autoClose: false, actions: [{ label: "Why", callback }] });
  }
}
let refused = "";

/** The place that the settings name; the server half is told to work there, too. */
async function placeOf(app: JupyterFrontEnd, registry: ISettingRegistry | null): Promise<Place> {
  const place: Place = { context: "", namespace: "", endpoint: "" };
  const settings = await registry?.load(PLUGIN).catch(() => null);
  if (!settings) return place;
  const read = () => {
    const before = [place.context, place.namespace].join();
    for (const key of ["context", "namespace", "endpoint"] as const) {
      const value = settings.composite[key];
      place[key] = typeof value === "string" ? value : "";
    }
    if (before === [place.context, place.namespace].join()) return;
    void workThere(app, place);
  };
  settings.changed.connect(read);
  read();
  return place;
}
