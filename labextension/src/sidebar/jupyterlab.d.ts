// The parts of JupyterLab's own packages that the sidebar uses: JupyterLab brings them, and shares them with extensions.

declare module "@jupyterlab/services" {
  export namespace ServerConnection {
    interface ISettings {
      readonly baseUrl: string;
    }
    /** A request with the login and the XSRF token of this page. */
    function makeRequest(url: string, init: RequestInit, settings: ISettings): Promise<Response>;
  }
}

declare module "@jupyterlab/ui-components" {
  import type { PanelLayout, Widget } from "@lumino/widgets";

  export abstract class WindowedListModel {
    constructor(options?: { count?: number; overscanCount?: number });
    abstract estimateWidgetSize: (index: number) => number;
    abstract widgetRenderer: (index: number) => Widget;
    widgetCount: number;
    getEstimatedTotalSize(): number;
    resetAfterIndex(index: number): void;
    dispose(): void;
  }
  export class WindowedLayout extends PanelLayout {}
  export class WindowedList extends Widget {
    constructor(options: { model: WindowedListModel; layout?: WindowedLayout });
    readonly outerNode: HTMLElement;
    scrollToItem(index: number): Promise<void>;
  }
}

declare module "*.css";
