import { buildSync } from "esbuild";
import tseslint from "typescript-eslint";

// Every module that JupyterLab's extension is made of: the sidebar shows some of the widgets' views.
const { metafile } = buildSync({
  entryPoints: ["src/index.ts"],
  bundle: true,
  external: ["*.css"],
  format: "esm",
  metafile: true,
  outdir: "lib",
  packages: "external",
  splitting: true,
  write: false,
});
// They write Python for a kernel, which nobody reads.
const WRITE_CODE = ["src/follow.ts", "src/tab_code.ts"];

// What reads as words: a capital letter at the beginning, or two words, or a word and a value, side by side. Magics,
// lists of class names, tags, codes in CamelCase and KubeAI's own name are the same in every language.
const WORDS = String.raw`^(?!KubeAI ?$|kubeai $|%\w|<|([A-Z][a-z]+){2,}$|(\w*-[\w-]*( |$))+$)(.*[a-z]{2,} [a-z]{2,}|\W*[A-Z][a-z]|.*[a-z]{2,} $| [a-z]{2,})`;
// What is compared, is a key, a type, a selector or a drawing, or describes a plugin to JupyterLab, is not shown as text.
const NOT_SHOWN = [
  "BinaryExpression[operator=/^[=!]==$/] > *",
  "Property > .key",
  "TSLiteralType > *",
  "CallExpression[callee.property.name=/^(querySelector(All)?|matches|closest)$/] > *",
  "Property[key.name=/^(svgstr|description)$/] *",
].join();
const TRANSLATED = "CallExpression[callee.property.name=/^(__|_n)$/] > *";

const translated = [
  {
    selector: `:matches(Literal[value=/${WORDS}/], TemplateElement[value.raw=/${WORDS}/]):not(${TRANSLATED}, ${NOT_SHOWN})`,
    message: "Have it translated: trans.__(text) of shared/translate.ts, with %1 for a value.",
  },
  {
    selector: "CallExpression[callee.object.name='trans']:not(:function *, PropertyDefinition *)",
    message: "Ask trans in a function: as this module is loaded, the language is not set yet.",
  },
];
const sent = {
  selector: "CallExpression[callee.property.name='send']:matches([callee.object.name='model'], [callee.object.property.name='model'])",
  message: "Call send(model, message) of gone.ts: model.send throws where the kernel was shut down.",
};

// Where several entries restrict a file, the last one counts.
function restrict(files, restrictions) {
  return { files, rules: { "no-restricted-syntax": ["error", ...restrictions] } };
}

export default tseslint.config(
  {
    ignores: ["lib/", "node_modules/", "shared/types.ts", "widgets/*_types.ts"],
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
  },
  restrict(["shared/*.ts", "widgets/*.ts"], [sent]),
  restrict(Object.keys(metafile.inputs).filter((file) => !WRITE_CODE.includes(file)), [sent, ...translated]),
  restrict(["shared/gone.ts"], translated),
);
