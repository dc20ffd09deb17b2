import type { RenderProps } from "@anywidget/types";
import { Asking, shown } from "./asking";
import { element } from "../shared/dom";
import type { StartsState } from "./form_types";

type Props = Pick<RenderProps<StartsState>, "model" | "el" | "signal">;

/** A list in groups that a form is filled from. What was chosen is not kept: the fields may be changed afterwards. */
export default { render };

function render({ model, el, signal }: Props): void {
  const asking = new Asking(model, signal);
  const label = element("label", "kubeai-form-starts");
  const list = element("select", "");
  label.append(element("span", "", model.get("label")), list);
  el.append(label, asking.node);
  list.addEventListener("change", () => {
    if (list.value !== "") asking.send({ choose: Number(list.value) });
    list.selectedIndex = 0;
  });
  shown(model, signal, ["groups"], () => {
    let place = 0;
    const groups = model.get("groups").map(({ title, options }) => {
      const group = element("optgroup", "");
      group.label = title;
      group.append(...options.map((text) => new Option(text, String(place++))));
      return group;
    });
    list.replaceChildren(new Option("Choose …", ""), ...groups);
  });
}
