import type { RenderProps } from "@anywidget/types";
import { Asking, shown } from "./asking";
import { element, keepKeys, putText } from "../shared/dom";
import type { SecretValueState } from "./form_types";

type Props = Pick<RenderProps<SecretValueState>, "model" | "el" | "signal">;

/**
 * A value for the Model's own Secret. It is sent once, in a message of its own, and stands in no trait: those are kept
 * in a saved notebook. What is left of it here is the name of its variable.
 */
export default { render };

function render({ model, el, signal }: Props): void {
  const asking = new Asking(model, signal);
  const form = element("fieldset", "kubeai-form-secret");
  keepKeys(form);
  const given = element("ul", "");
  given.setAttribute("aria-live", "polite");
  const name = labelled("Variable", "text", "HF_TOKEN");
  const value = labelled("Value", "password", "");
  value.input.autocomplete = "off";
  const keep = element("button", "kubeai-form-button", "Keep");
  keep.type = "button";
  keep.title = "It goes into the Model's own Secret when you deploy, and is shown nowhere";
  const status = element("p", "kubeai-form-status");
  status.setAttribute("role", "status");
  const send = (goesOn = true) => {
    const variable = name.input.value.trim();
    if (variable === "" || value.input.value === "") {
      putText(status, variable === "" ? "Give the name of the variable, such as HF_TOKEN." : `Give the value of ${variable}.`);
      (variable === "" ? name : value).input.focus();
      return;
    }
    asking.send({ keep: variable, value: value.input.value });
    putText(status, "");
    name.input.value = value.input.value = "";
    if (goesOn) name.input.focus();
  };
  keep.addEventListener("click", () => {
    send();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
    event.preventDefault();
    send();
  });
  // Whoever has typed both goes on, and need not know of the button; the next button may be Deploy.
  form.addEventListener("focusout", (event) => {
    const stays = event.relatedTarget instanceof Node && form.contains(event.relatedTarget);
    if (!stays && name.input.value.trim() !== "" && value.input.value !== "") send(false);
  });
  const inputs = element("div", "kubeai-form-secret-inputs");
  inputs.append(name.label, value.label, keep);
  const body = element("div", "");
  body.append(given, inputs, status);
  form.append(element("legend", "", "A secret's value"), body);
  el.append(form, asking.node);
  shown(model, signal, ["names"], () => {
    given.replaceChildren(...model.get("names").map((variable) => givenNode(variable, asking)));
  });
}

function labelled(text: string, type: string, placeholder: string): { label: HTMLElement; input: HTMLInputElement } {
  const label = element("label", "", text);
  const input = label.appendChild(element("input", ""));
  input.type = type;
  input.placeholder = placeholder;
  input.spellcheck = false;
  return { label, input };
}

function givenNode(variable: string, asking: Asking): HTMLElement {
  const node = element("li", "", `${variable} is kept: it goes into the Model's own Secret when you deploy. `);
  const remove = node.appendChild(element("button", "kubeai-form-button", "×"));
  remove.type = "button";
  remove.title = `Forget the value of ${variable}`;
  remove.setAttribute("aria-label", remove.title);
  remove.addEventListener("click", () => {
    asking.send({ forget: variable });
  });
  return node;
}
