import type { RenderProps } from "@anywidget/types";
import { shown } from "./asking";
import { button, element, keepKeys, putText } from "../shared/dom";
import { ending, field, putRows, StatusLine } from "./embedding_parts";
import type { Hover, MapRequest, MapState } from "./embedding_types";
import { send } from "../shared/gone";
import { MapPlot, rendererOf, type Renderer } from "./map_plot";

// No interface: anywidget's model wants one with an index.
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
type State = { state: MapState; points: DataView; groups: DataView; places: DataView; selected: DataView };

const NO_WEBGL =
  "This browser has no WebGL, so the map cannot be drawn. Search and the list of rows work without it, and in Python " +
  "map.points has the points as x and y.";

export default () => ({
  render({ model, el, signal: given }: Pick<RenderProps<State>, "model" | "el"> & { signal?: AbortSignal }) {
    const { signal, end } = ending(given);
    const section = element("section", "kubeai-map");
    keepKeys(section);
    const status = new StatusLine(model, signal, () => {
      for (const control of section.querySelectorAll("button")) control.disabled = true;
    });
    const ask = (wanted: Partial<MapRequest> & Pick<MapRequest, "verb">) => {
      status.send({ query: "", place: 0, ...wanted });
    };
    const first = model.get("state");
    section.setAttribute("aria-label", `Map of ${first.column} by ${first.model}`);
    section.append(element("p", "", sentenceOf(first)));

    const select = (places: Uint32Array<ArrayBuffer>) => {
      model.set("selected", new DataView(places.buffer));
      model.save_changes();
    };
    const renderer = rendererOf();
    const plot = renderer && addPlot(section, model, { renderer, select, signal });
    if (plot === undefined) section.append(element("p", "kubeai-map-none", NO_WEBGL));
    section.append(legendOf(first));

    const search = field("Select the rows nearest to", button("Select"), (query) => {
      ask({ verb: "search", query });
    });
    const clear = button("Clear");
    clear.addEventListener("click", () => {
      select(new Uint32Array());
    });
    search.append(clear);
    const count = element("p", "kubeai-map-count");
    count.setAttribute("role", "status");
    const rows = element("table", "kubeai-embedding-rows");
    section.append(search, status.node, count, rows);
    el.append(section);

    shown(model, signal, ["state"], () => {
      const state = model.get("state");
      const many = state.selected_count.toLocaleString("en");
      putText(count, `${many} selected. In Python, selection() gives their rows.`);
      const part = state.selected.length < state.selected_count ? "The first selected rows" : "The selected rows";
      putRows(rows, part, state.selected);
      clear.disabled = state.selected_count === 0;
      status.show(state);
    });
    if (plot !== undefined) {
      shown(model, signal, ["selected"], () => {
        plot.select(numbersOf(model.get("selected"), Uint32Array));
      });
    }
    return end;
  },
});

/** The plot with its buttons and the text of the point under the pointer. */
function addPlot(
  section: HTMLElement,
  model: RenderProps<State>["model"],
  { renderer, select, signal }: { renderer: Renderer; select: (places: Uint32Array<ArrayBuffer>) => void; signal: AbortSignal },
): MapPlot {
  const hover = element("p", "kubeai-map-hover");
  hover.hidden = true;
  const plot = new MapPlot(
    {
      points: numbersOf(model.get("points"), Float32Array),
      groups: numbersOf(model.get("groups"), Uint16Array),
      places: numbersOf(model.get("places"), Uint32Array),
      colors: model.get("state").colors,
    },
    {
      select,
      point: (place) => {
        hover.hidden = true;
        // Silence is no news here: a hover that a busy kernel does not answer shows nothing.
        if (place !== undefined) send(model, { verb: "hover", query: "", place });
      },
    },
    renderer,
  );
  const received = (message: unknown) => {
    if (!isHover(message) || message.place !== plot.pointed) return;
    putText(hover, message.text);
    hover.hidden = false;
  };
  model.on("msg:custom", received);
  signal.addEventListener("abort", () => {
    model.off("msg:custom", received);
    plot.stop();
  });
  const move = button("Move");
  const lasso = button("Lasso");
  const press = (mode: "panZoom" | "lasso") => {
    move.setAttribute("aria-pressed", String(mode === "panZoom"));
    lasso.setAttribute("aria-pressed", String(mode === "lasso"));
    plot.setMode(mode);
  };
  move.addEventListener("click", () => {
    press("panZoom");
  });
  lasso.addEventListener("click", () => {
    press("lasso");
  });
  press("panZoom");
  const whole = button("Whole map");
  whole.addEventListener("click", () => {
    plot.showWhole();
  });
  const tools = element("div", "kubeai-buttons");
  tools.setAttribute("role", "group");
  tools.setAttribute("aria-label", "What the pointer does on the map");
  tools.append(move, lasso, whole);
  plot.node.append(hover);
  section.append(tools, plot.node);
  return plot;
}

function sentenceOf(state: MapState): string {
  const many = `${state.count.toLocaleString("en")} texts of column ${state.column} by ${state.model}: near texts lie near each other.`;
  const missing = state.without_vector;
  return missing === 0 ? many : `${many} Rows without a vector, and so without a point: ${missing.toLocaleString("en")}.`;
}

function legendOf(state: MapState): HTMLElement {
  const list = element("ul", "kubeai-map-legend");
  list.setAttribute("aria-label", `Colours, by column ${state.color}`);
  list.hidden = state.legend.length === 0;
  for (const { label, color, count } of state.legend) {
    const item = element("li", "", `${label} (${count.toLocaleString("en")})`);
    item.style.setProperty("--color", color);
    list.append(item);
  }
  return list;
}

/** Numbers that came as bytes, which may begin where numbers of their size cannot. */
function numbersOf<T>(view: DataView, kind: new (buffer: ArrayBuffer) => T): T {
  return new kind(new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer);
}

function isHover(message: unknown): message is Hover {
  return typeof message === "object" && message !== null && "place" in message && "text" in message;
}
