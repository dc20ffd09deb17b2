import { withInstalled } from "./installed";
import { PATH, type Place } from "./kinds";

/**
 * What a tab's kernel runs. A kernel that has it already, as after a reload of the page, shows the same object again, so
 * that what was typed stays. A JSON string is one of Python, too.
 */
export function codeOf(path: string, place: Place): string {
  const [, kind, name = ""] = PATH.exec(path) ?? [];
  const settings = Object.entries(place).filter(([, value]) => value !== "");
  const made = kind === "playground" ? `kubeai_notebook.attach(${JSON.stringify(name)}).playground()` : "kubeai_notebook.form()";
  return withInstalled([
    "import kubeai_notebook",
    "from IPython.display import display",
    'if "_kubeai_tab" not in globals():',
    "    %load_ext kubeai_notebook",
    ...settings.map(([key, value]) => `    get_ipython().run_line_magic("config", ${JSON.stringify(`KubeAI.${key} = ${JSON.stringify(value)}`)})`),
    `    _kubeai_tab = ${made}`,
    "display(_kubeai_tab)",
  ]);
}
