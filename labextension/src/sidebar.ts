import { ILayoutRestorer, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { INotebookTracker } from "@jupyterlab/notebook";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { ITranslator } from "@jupyterlab/translation";
import { PanelLayout, Widget } from "@lumino/widgets";
import { trans } from "../shared/translate";
import { labIcon } from "./icon";
import { speakAs } from "./language";
import type { ModelsPanel } from "./sidebar/panel";

export const sidebar: JupyterFrontEndPlugin<void> = {
  id: "kubeai-notebook:sidebar",
  description: "The Models that KubeAI serves, in the left sidebar.",
  autoStart: true,
  requires: [ITranslator],
  optional: [INotebookTracker, ISettingRegistry, ILayoutRestorer],
  activate: (
    app,
    translator: ITranslator,
    notebooks: INotebookTracker | null,
    registry: ISettingRegistry | null,
    restorer: ILayoutRestorer | null,
  ) => {
    speakAs(translator);
    const widget = new Sidebar(async () => (await import("./sidebar/host")).panelOf(app, notebooks, registry));
    // So it is open after a reload, and where it was moved to.
    restorer?.add(widget, widget.id);
    app.shell.add(widget, "left", { rank: 700 });
    // A button of every notebook's toolbar runs it, as the schema of the settings says.
    app.commands.addCommand("kubeai:models", {
      label: trans.__("Show Models"),
      caption: trans.__("Show the Models that KubeAI serves"),
      icon: labIcon,
      execute: () => {
        app.shell.activateById(widget.id);
      },
    });
  },
};

/** The frame of the panel, which is loaded when it is first seen; it may be moved to another area of JupyterLab. */
class Sidebar extends Widget {
  private panel: ModelsPanel | undefined;
  private loading: Promise<void> | undefined;

  constructor(private readonly make: () => Promise<ModelsPanel>) {
    super({ node: document.createElement("section") });
    this.id = "kubeai-sidebar";
    this.addClass("kubeai-sidebar");
    this.node.setAttribute("aria-label", "KubeAI");
    this.title.caption = "KubeAI";
    this.title.label = "";
    this.title.icon = labIcon;
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
    this.panel = await this.make();
    (this.layout as PanelLayout).addWidget(this.panel);
    this.panel.follow(this.isVisible);
  }
}
