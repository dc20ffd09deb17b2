import type { ITranslator } from "@jupyterlab/translation";
import { speak } from "../shared/translate";

/** Speak as JupyterLab does, where the catalogue of this package has its language. */
export function speakAs(translator: ITranslator): void {
  speak(translator.load("kubeai_notebook"));
}
