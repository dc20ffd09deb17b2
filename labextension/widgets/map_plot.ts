import createScatterplot, { createRenderer } from "regl-scatterplot";
import { element } from "../shared/dom";

/** What is drawn: `points` holds x and y in turn, the others a number a point. */
export interface PlotData {
  readonly points: Float32Array;
  readonly groups: Uint16Array;
  readonly places: Uint32Array;
  readonly colors: readonly string[];
}

export interface OnPlot {
  /** The places of the rows that a lasso or a click has caught. */
  readonly select: (places: Uint32Array<ArrayBuffer>) => void;
  /** The place of the row under the pointer. */
  readonly point: (place: number | undefined) => void;
}

const HEIGHT = 420;
/** Points from which on speed goes before roundness. */
const MANY = 20_000;

export type Renderer = ReturnType<typeof createRenderer>;

/**
 * What draws the points of one map; undefined where the browser has no WebGL.
 *
 * The library's own renderer is as large as the window, whatever the map's size, and smooths edges that it never draws:
 * without a graphics card each picture of a high window took seconds. A canvas keeps the attributes of its first context.
 */
export function rendererOf(): Renderer | undefined {
  const canvas = document.createElement("canvas");
  return canvas.getContext("webgl", { antialias: false }) === null ? undefined : createRenderer({ canvas });
}

/** The points, drawn as soon as there is room for them: JupyterLab renders an output before it has a width. */
export class MapPlot {
  readonly node = element("div", "kubeai-map-plot");
  /** The place of the row under the pointer. */
  pointed: number | undefined;
  private readonly canvas = element("canvas", "");
  private readonly observer: ResizeObserver;
  private readonly pointOf: Int32Array;
  private isCatching = false;
  private plot: ReturnType<typeof createScatterplot> | undefined;
  private mode: "panZoom" | "lasso" = "panZoom";
  private chosen: number[] = [];

  constructor(
    private readonly data: PlotData,
    private readonly on: OnPlot,
    private readonly renderer: Renderer,
  ) {
    // The places grow from point to point.
    this.pointOf = new Int32Array((data.places.at(-1) ?? -1) + 1).fill(-1);
    data.places.forEach((place, point) => {
      this.pointOf[place] = point;
    });
    this.node.style.height = `${String(HEIGHT)}px`;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", "The map; search below it selects by the keyboard");
    this.node.append(this.canvas);
    this.observer = new ResizeObserver(() => {
      this.fit();
    });
    this.observer.observe(this.node);
  }

  setMode(mode: "panZoom" | "lasso"): void {
    this.mode = mode;
    void this.plot?.set({ mouseMode: mode });
  }

  showWhole(): void {
    void this.plot?.zoomToOrigin({ transition: false });
  }

  /** Mark the points of these rows; rows without a point are left out. */
  select(places: Uint32Array): void {
    if (this.isCatching) return; // the plot has marked what its own lasso caught
    this.chosen = Array.from(places, (place) => this.pointOf[place] ?? -1).filter((point) => point >= 0);
    if (this.plot?.get("isPointsDrawn") === true) this.mark();
  }

  stop(): void {
    this.observer.disconnect();
    this.plot?.destroy();
    this.renderer.destroy();
  }

  private mark(): void {
    if (this.chosen.length === 0) this.plot?.deselect({ preventEvent: true });
    else this.plot?.select(this.chosen, { preventEvent: true });
  }

  private fit(): void {
    const width = this.node.clientWidth;
    if (width === 0) return;
    this.renderer.resize(width, HEIGHT);
    if (this.plot === undefined) void this.draw(width);
    else void this.plot.set({ width });
  }

  private async draw(width: number): Promise<void> {
    const { points, groups, places, colors } = this.data;
    const isMany = places.length > MANY;
    const plot = createScatterplot({
      renderer: this.renderer,
      canvas: this.canvas,
      width,
      height: HEIGHT,
      backgroundColor: [0, 0, 0, 0],
      mouseMode: this.mode,
      // It listens on the whole page, where Escape leaves a cell's editor.
      deselectOnEscape: false,
      colorBy: "valueA",
      pointColor: [...colors],
      pointSize: isMany ? 3 : 5,
      // Squares without transparency: of many small points nobody sees the difference, and a machine without a graphics
      // card draws them several times as fast.
      performanceMode: isMany,
      cameraDistance: 1.1,
    });
    this.plot = plot;
    plot.subscribe("select", ({ points: caught }) => {
      // A lasso knows no order, so its rows come in the frame's.
      this.isCatching = true;
      this.on.select(Uint32Array.from(caught, (point) => places[point] ?? 0).sort());
      this.isCatching = false;
    });
    plot.subscribe("deselect", () => {
      this.on.select(new Uint32Array());
    });
    plot.subscribe("pointOver", (point) => {
      this.point(places[point]);
    });
    plot.subscribe("pointOut", () => {
      this.point(undefined);
    });
    const x = points.filter((_, index) => index % 2 === 0);
    const y = points.filter((_, index) => index % 2 === 1);
    await plot.draw({ x, y, valueA: groups }, { zDataType: "categorical" });
    this.mark();
    this.node.dataset.drawn = "true";
  }

  private point(place: number | undefined): void {
    this.pointed = place;
    this.on.point(place);
  }
}
