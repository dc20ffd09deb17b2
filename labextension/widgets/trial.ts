import type { RenderProps } from "@anywidget/types";
import { shown } from "./asking";
import { button, element, keepKeys, putText } from "../shared/dom";
import { ending, field, linesOf, putRows, StatusLine } from "./embedding_parts";
import type { TrialRequest, TrialState } from "./trial_types";

// No interface: anywidget's model wants one with an index.
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
type State = { state: TrialState };
type Ask = (wanted: Partial<TrialRequest>, recording?: ArrayBuffer) => void;
type Tell = StatusLine["tell"];

/** Where a Model is tried that ranks texts or writes down recordings. */
export default () => ({
  render({ model, el, signal: given }: Pick<RenderProps<State>, "model" | "el"> & { signal?: AbortSignal }) {
    const { signal, end } = ending(given);
    const section = element("section", "kubeai-trial");
    keepKeys(section);
    const status = new StatusLine(model, signal, () => {
      for (const control of section.querySelectorAll("button")) control.disabled = true;
    });
    const first = model.get("state");
    const ask: Ask = (wanted, recording) => {
      status.send({ verb: first.kind, texts: [], query: "", file: "", ...wanted }, recording && [recording]);
    };
    const ranked = element("table", "kubeai-embedding-rows");
    const transcript = element("p", "kubeai-trial-said");
    const code = element("details", "");
    code.append(element("summary", "", "The same from a cell"), element("pre", "", first.code));
    if (first.kind === "rank") {
      section.setAttribute("aria-label", `Texts ranked by ${first.model}`);
      section.append(...ranking(first, ask, status.tell), ranked);
    } else {
      section.setAttribute("aria-label", `Recordings written down by ${first.model}`);
      section.append(...hearing(first, ask, status.tell), transcript);
    }
    section.append(status.node, code);
    el.append(section);
    shown(model, signal, ["state"], () => {
      const state = model.get("state");
      putRows(ranked, `The best first, for: ${state.query}`, state.ranked, "Score");
      transcript.hidden = state.file === "";
      putText(transcript, state.transcript === "" ? `${first.model} hears no words in ${state.file}.` : `${state.file}: ${state.transcript}`);
      status.show(state);
    });
    return end;
  },
});

function ranking({ model, most_texts: most }: TrialState, ask: Ask, tell: Tell): HTMLElement[] {
  const texts = element("textarea", "");
  texts.rows = 4;
  const words = element("label", "", `Texts that ${model} ranks, one a line, ${String(most)} at most`);
  words.append(texts);
  const question = field("The question that they answer", button("Rank"), (query) => {
    const lines = linesOf(texts, most, tell);
    if (lines !== undefined) ask({ query, texts: lines });
  });
  return [words, question];
}

function hearing({ model, most_bytes: most }: TrialState, ask: Ask, tell: Tell): HTMLElement[] {
  const node = element("div", "kubeai-embedding-field");
  const input = element("input", "");
  input.type = "file";
  input.accept = "audio/*,video/*";
  const megabytes = String(most / 2 ** 20);
  const words = element("label", "", `A recording that ${model} writes down, of ${megabytes} MiB at most`);
  words.append(input);
  const press = button("Write it down");
  press.addEventListener("click", () => {
    const file = input.files?.[0];
    if (file === undefined) tell("Choose a recording first.");
    else if (file.size > most) tell(`${file.name} is larger than ${megabytes} MiB: transcribe(path) takes it from a cell, as below.`);
    else void file.arrayBuffer().then((recording) => {
      ask({ file: file.name }, recording);
    }, () => {
      tell(`${file.name} cannot be read.`);
    });
  });
  node.append(words, press);
  return [node];
}
