import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { INotebookTracker } from "@jupyterlab/notebook";
import { ServerConnection } from "@jupyterlab/services";
import { PanelLayout, Widget } from "@lumino/widgets";
import { icon } from "./icon";
import { insertInto } from "./notebooks";
import type { Host, ModelsPanel } from "./sidebar/panel";

export const sidebar: JupyterFrontEndPlugin<void> = {
  id: "kubeai-notebook:sidebar",
  description: "The Models that KubeAI serves, in the left sidebar.",
  autoStart: true,
  optional: [INotebookTracker, ILayoutRestorer],
  activate: (app, notebooks: INotebookTracker | null, restorer: ILayoutRestorer | null) => {
    const widget = new Sidebar(hostOf(app, notebooks));
    // So it is open after a reload, and where it was moved to.
    restorer?.add(widget, widget.id);
    app.shell.add(widget, "left", { rank: 700 });
  },
};

/** The frame of the panel, which is loaded when it is first seen; it may be moved to another area of JupyterLab. */
class Sidebar extends Widget {
  private panel: ModelsPanel | undefined;
  private loading: Promise<void> | undefined;

  constructor(private readonly host: Host) {
    super({ node: document.createElement("section") });
    this.id = "kubeai-sidebar";
    this.addClass("kubeai-sidebar");
    this.node.setAttribute("aria-label", "KubeAI");
    this.title.caption = "KubeAI";
    this.title.label = "";
    this.title.icon = { render: icon };
    this.layout = new PanelLayout();
  }

  protected override onAfterAttach(): void {
    this.seen();
  }

  protected override onAfterShow(): void {
    this.seen();
  }

  protected override onAfterHide(): void {
    this.seen();
  }

  protected override onBeforeDetach(): void {
    this.panel?.follow(false);
  }

  private seen(): void {
    if (this.isVisible) this.loading ??= this.load();
    this.panel?.follow(this.isVisible);
  }

  private async load(): Promise<void> {
    const { ModelsPanel } = await import("./sidebar/panel");
    this.panel = new ModelsPanel(this.host);
    (this.layout as PanelLayout).addWidget(this.panel);
    this.panel.follow(this.isVisible);
  }
}

function hostOf(app: JupyterFrontEnd, notebooks: INotebookTracker | null): Host {
  const settings = app.serviceManager.serverSettings;
  const root = `${settings.baseUrl}kubeai/`;
  return {
    server: root,
    fetcher: (path, init = {}) => ServerConnection.makeRequest(root + path, init, settings),
    hasCommand: (name) => app.commands.hasCommand(name),
    execute: (name, values) => {
      void app.commands.execute(name, values);
    },
    // The one that was used last: what is current may be another tab, or this sidebar in the main area.
    insert: (code) => insertInto(notebooks?.currentWidget ?? null, code),
  };
}
