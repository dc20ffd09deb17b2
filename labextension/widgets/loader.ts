import type { AnyModel, AnyWidget } from "@anywidget/types";

/**
 * What anywidget is given as the browser's half of every widget of ours; the real half is the text of the trait `_bundle`.
 *
 * It is read once a page, however many widgets it has: twenty cards on a slow computer take long enough as it is. For
 * anywidget 0.11 lets a widget take two seconds from its model to the end of `initialize`; one that takes longer is
 * drawn, and takes no message of its kernel any more. `listen` makes it take them again.
 */
type Half = Exclude<AnyWidget, () => unknown>;
interface Bundle {
  default: AnyWidget;
}

/** What is used of ipywidgets' model, which stands behind the one that anywidget gives. */
interface Heard {
  _handle_comm_msg(message: object): Promise<void>;
  comm?: { on_msg(take: (message: object) => Promise<void>): void; send(data: object): unknown };
}
/** Of a method that no model knows, so that nothing comes of it. */
const PROBE = { content: { data: { method: "kubeai-probe" } } };

const page = globalThis as { kubeaiNotebookBundles?: Map<string, Promise<Bundle>> };

async function read(text: string): Promise<Bundle> {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return (await import(url)) as Bundle;
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function halfOf(model: AnyModel, load: typeof read): Promise<Half> {
  const bundles = (page.kubeaiNotebookBundles ??= new Map());
  const text = String(model.get("_bundle"));
  const bundle = bundles.get(text) ?? load(text);
  bundles.set(text, bundle);
  bundle.catch(() => bundles.delete(text)); // the next widget tries again
  const { default: widget } = await bundle;
  return typeof widget === "function" ? widget() : widget;
}

/** Let the model hear again where anywidget has given it up; what it missed, the kernel tells once more. */
async function listen(model: AnyModel): Promise<void> {
  const found: unknown = await model.widget_manager.get_model(String(model.get("_id")));
  const heard = found as Heard;
  try {
    await heard._handle_comm_msg(PROBE);
  } catch {
    const ipywidgets = Object.getPrototypeOf(Object.getPrototypeOf(heard)) as Heard;
    heard.comm?.on_msg((message) => ipywidgets._handle_comm_msg.call(heard, message));
    heard.comm?.send({ method: "request_state" });
  }
}

export function loader(load = read): Half {
  let half: Promise<Half>;
  return {
    async initialize(given) {
      half = halfOf(given.model, load);
      const forget = await (await half).initialize?.(given);
      // Other hosts than Jupyter have models of their own, of which this is not known.
      listen(given.model).catch(() => undefined);
      return forget;
    },
    async render(given) {
      return (await half).render?.(given);
    },
  };
}

export default () => loader();
