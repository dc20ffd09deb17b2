import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

const PARTS = ["package.json", "schema", "shared", "src", "style", "widgets"];
const SCRIPT = readFileSync("build.mjs", "utf8");
let folder;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "build-"));
  mkdirSync(path.join(folder, "labextension"));
  for (const part of PARTS) cpSync(part, path.join(folder, "labextension", part), { recursive: true });
  symlinkSync(path.resolve("node_modules"), path.join(folder, "labextension", "node_modules"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** The modules that a build makes, by their names. */
function built(script) {
  const cwd = path.join(folder, "labextension");
  writeFileSync(path.join(cwd, "build.mjs"), script);
  execFileSync("node", ["build.mjs"], { cwd });
  const made = path.join(folder, "kubeai_notebook", "labextension", "static");
  const names = readdirSync(made).filter((name) => name.endsWith(".js"));
  return new Map(names.map((name) => [name, readFileSync(path.join(made, name), "utf8")]));
}

it.each([
  ["what links modules", "const FOUND = `"],
  ["what stands around the entry", 'js: "(()=>{'],
])("gives each module another name that a mend of %s changes, and no other", (_what, begin) => {
  const before = built(SCRIPT);
  const mended = SCRIPT.replace(begin, `${begin}/* mended */`);
  expect(mended).not.toBe(SCRIPT);
  const after = built(mended);
  const kept = [...after].filter(([name]) => before.has(name));
  for (const [name, text] of kept) expect(text).toBe(before.get(name));
  const named = new Set([...after.values()].flatMap((text) => [...text.matchAll(/"\.\/([^"/]+\.js)"/g)].map(([, name]) => name)));
  for (const name of named) expect([...after.keys()]).toContain(name);
  expect(named.size).toBe(after.size - 1); // (the container, which JupyterLab loads, is led to by none)
  expect(kept.length).toBeGreaterThan(0);
});
