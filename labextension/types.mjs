// Makes the types of the wire from its pydantic models; with --check, only says whether they are fresh.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

const ROOTS = [
  ["Request", "{wire,server_wire}", "shared/types.ts"],
  ["FormWidgets", "form_wire", "widgets/form_types.ts"],
  ["EmbeddingWidgets", "embedding_wire", "widgets/embedding_types.ts"],
  ["TrialWidget", "trial_wire", "widgets/trial_types.ts"],
  ["PlaygroundState", "playground_wire", "widgets/playground_types.ts"],
];

for (const [root, module, file] of ROOTS) {
  const source = `kubeai_notebook/present/${module}.py`;
  const bannerComment = `// Made from ${source} by \`jlpm types\`; do not edit.`;
  const schema = execFileSync("python", ["wire_schema.py", root], { env: { ...process.env, PYTHONPATH: ".." } });
  const made = await compile(JSON.parse(schema.toString()), root, { bannerComment, unreachableDefinitions: true, maxItems: -1 });
  if (!process.argv.includes("--check")) {
    writeFileSync(file, made);
  } else if (readFileSync(file, "utf8") !== made) {
    console.error(`${file} is older than ${source}: run \`jlpm types\`.`);
    process.exitCode = 1;
  }
}
