import type { AnyModel } from "@anywidget/types";
import { element } from "./dom";
import { trans } from "./translate";

/** Who is told where a message cannot be sent, by the model that it was for. */
const listeners = new WeakMap<AnyModel, Set<() => void>>();

/** How often it is looked whether the kernel is there. */
const LOOK_MS = 1_000;

/** Call it when the kernel's half of a widget has gone, which no message tells; what is returned ends the listening. */
export function whenGone(model: AnyModel, take: () => void): () => void {
  const told = listeners.get(model) ?? new Set();
  listeners.set(model, told.add(take));
  const looking = setInterval(() => {
    if (hasKernel(model)) return;
    clearInterval(looking);
    take();
  }, LOOK_MS);
  // ipywidgets sets a model live once, before it is rendered: what comes later is its end.
  model.on("comm_live_update", take);
  return () => {
    clearInterval(looking);
    told.delete(take);
    model.off("comm_live_update", take);
  };
}

/** Whether the page has a kernel for this widget; so it has where it does not tell, as hosts beside JupyterLab. */
function hasKernel({ widget_manager: manager }: { widget_manager?: object }): boolean {
  if (manager === undefined || !("kernel" in manager)) return true;
  const kernel = manager.kernel as { isDisposed?: boolean; status?: string } | null | undefined;
  return kernel != null && kernel.isDisposed !== true && kernel.status !== "dead";
}

/**
 * Send a message to the kernel's half of a widget, and say whether it was sent. Every message goes by this function.
 *
 * JupyterLab tells widgets of a kernel that restarts, and of none that was shut down or died: there sending throws, so
 * a click is answered at once.
 */
export function send(model: AnyModel, message: object, buffers?: ArrayBuffer[]): boolean {
  try {
    model.send(message, undefined, buffers);
    return true;
  } catch {
    for (const take of [...(listeners.get(model) ?? [])]) take();
    return false;
  }
}

/** Disable the form around a widget and say why, once. Its texts can still be read and copied, and its card says its own. */
export function disableForm(el: HTMLElement): void {
  const form = el.closest<HTMLElement>(".kubeai-form") ?? el;
  if (form.querySelector(":scope > .kubeai-form-gone") !== null) return;
  for (const control of form.querySelectorAll<HTMLInputElement>("input, select, textarea, button")) {
    if (control.matches(".kubeai-form-code textarea")) control.readOnly = true;
    else if (control.closest(".kubeai-card, [role=tablist], [data-works-alone]") === null) control.disabled = true;
  }
  for (const queued of form.querySelectorAll<HTMLElement>(".kubeai-form-queued")) queued.hidden = true;
  const text = trans.__(
    "The kernel has gone. The cell gives an empty form when it runs again: copy the YAML below first, and paste it there.",
  );
  const note = element("p", "kubeai-form-gone", text);
  note.setAttribute("role", "alert");
  form.prepend(note);
}

/** Whether the page shows that the kernel around this node waits for work. */
export function kernelIsIdle(el: HTMLElement): boolean {
  const panel = el.closest(".jp-NotebookPanel");
  return panel?.querySelector('.jp-Notebook-ExecutionIndicator[data-status="idle"]') != null;
}
