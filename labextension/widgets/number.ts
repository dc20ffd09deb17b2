import type { RenderProps } from "@anywidget/types";
import { shown } from "./asking";
import { element, keepKeys } from "../shared/dom";
import type { NumberState } from "./form_types";

type Props = Pick<RenderProps<NumberState>, "model" | "el" | "signal">;

/** A whole number that may be left out: ipywidgets' own always has a value. */
export default { render };

function render({ model, el, signal }: Props): void {
  const label = element("label", "kubeai-form-number");
  const name = label.appendChild(element("span", "", model.get("label")));
  name.title = model.get("help");
  const input = label.appendChild(element("input", ""));
  input.type = "number";
  input.step = "1";
  keepKeys(input);
  input.addEventListener("input", () => {
    model.set("value", input.value === "" ? null : Math.trunc(input.valueAsNumber));
    model.save_changes();
  });
  el.append(label);
  shown(model, signal, ["value", "placeholder"], () => {
    const text = String(model.get("value") ?? "");
    if (input.value !== text) input.value = text;
    input.placeholder = model.get("placeholder");
  });
}
