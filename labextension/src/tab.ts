import type { JupyterFrontEnd } from "@jupyterlab/application";
import { InputDialog } from "@jupyterlab/apputils";
import type { ConsolePanel } from "@jupyterlab/console";
import type { Kernel } from "@jupyterlab/services";
import { UUID } from "@lumino/coreutils";
import { Widget } from "@lumino/widgets";
import { trans } from "../shared/translate";
import type { ModelsTable } from "../shared/types";
import { labIcon } from "./icon";
import { isName, pathOf, titleOf, type Kind } from "./tab_kinds";
import { answerOf, refusalOf } from "./request";
import { serverHalf } from "./server";
import type { Place } from "./settings";
import { codeOf } from "./tab_code";

const ENDED: readonly Kernel.Status[] = ["autorestarting", "dead", "restarting", "terminating"];

/** Open a tab of its own; of a playground whose Model is not named, the user is asked for it. */
export async function openNew(app: JupyterFrontEnd, kind: Kind, given: string | undefined): Promise<void> {
  const name = given ?? (kind === "serve" ? "" : await chosenName(app));
  if (name === null || !isName(name)) return;
  await open(app, pathOf(kind, name, UUID.uuid4()), [titleOf(kind), name].filter(Boolean).join(": "));
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
export function adopt(app: JupyterFrontEnd, panel: ConsolePanel, kind: Kind, place: Promise<Place>): void {
  const context = panel.sessionContext;
  const { path } = context;
  context.kernelPreference = { ...context.kernelPreference, shutdownOnDispose: true };
  panel.title.iconClass = "";
  panel.title.icon = labIcon;
  panel.title.caption = titleOf(kind);
  panel.toolbar.hide();
  const show = async () => {
    await context.ready;
    panel.console.clear();
    await panel.console.inject(codeOf(path, await place));
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
  text.textContent = trans.__("The kernel of this tab has ended; Models that were served go on.");
  const button = document.createElement("button");
  button.className = "jp-mod-styled jp-mod-accept";
  button.textContent = trans.__("Restart");
  button.addEventListener("click", restart);
  node.append(text, " ", button);
  const notice = new Widget({ node });
  notice.addClass("kubeai-tab-ended");
  node.setAttribute("role", "alert");
  notice.hide();
  return notice;
}

/** The name of a Model that the user chooses; null where they choose none. */
async function chosenName(app: JupyterFrontEnd): Promise<string | null> {
  const names = await modelNames(app);
  const title = titleOf("playground");
  const { value } =
    names.length > 0
      ? await InputDialog.getItem({ title, label: trans.__("Model"), items: names })
      : await InputDialog.getText({ title, label: trans.__("Name of a Model that is served") });
  return value === "" ? null : value;
}

/** The Models that the server half knows; none where it is missing or cannot reach its cluster. */
async function modelNames(app: JupyterFrontEnd): Promise<string[]> {
  try {
    const { rows } = await answerOf<ModelsTable>(serverHalf(app).fetcher, "GET", "models");
    return rows.map(({ name }) => name);
  } catch (error) {
    refusalOf(error);
    return [];
  }
}
