import type { AnyModel } from "@anywidget/types";
import { element } from "./dom";

export const GONE =
  "The kernel has gone. The cell gives an empty form when it runs again: copy the YAML below first, and paste it there.";

/** Call it when the kernel's half of a widget has gone, which no message tells; what is returned ends the listening. */
export function whenGone(model: AnyModel, take: () => void): () => void {
  // ipywidgets sets a model live once, before it is rendered: what comes later is its end.
  model.on("comm_live_update", take);
  return () => {
    model.off("comm_live_update", take);
  };
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
  const note = element("p", "kubeai-form-gone", GONE);
  note.setAttribute("role", "alert");
  form.prepend(note);
}

/** Whether the page shows that the kernel around this node waits for work. */
export function kernelIsIdle(el: HTMLElement): boolean {
  const panel = el.closest(".jp-NotebookPanel");
  return panel?.querySelector('.jp-Notebook-ExecutionIndicator[data-status="idle"]') != null;
}
