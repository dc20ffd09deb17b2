// Makes widgets/types.ts from the pydantic models of the wire; with --check, only says whether it is fresh.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

const FILE = "widgets/types.ts";
const bannerComment = "// Made from kubeai_notebook/present/wire.py by `jlpm types`; do not edit.";

const schema = execFileSync("python", ["wire_schema.py"], { env: { ...process.env, PYTHONPATH: ".." } });
const made = await compile(JSON.parse(schema.toString()), "Card", { bannerComment });

if (!process.argv.includes("--check")) {
  writeFileSync(FILE, made);
} else if (readFileSync(FILE, "utf8") !== made) {
  console.error(`${FILE} is older than kubeai_notebook/present/wire.py: run \`jlpm types\`.`);
  process.exitCode = 1;
}
