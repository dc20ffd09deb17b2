import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

// The texts of strangers that the tests in Python have, too.
const script = "import json; from tests.support.hostile import hostile; print(json.dumps([[one.id, one.text] for one in hostile()]))";
const hostile = JSON.parse(execFileSync("python", ["-c", script], { cwd: "..", maxBuffer: 1 << 28 }).toString());
const ordinary = readFileSync("../tests/golden/ordinary.md", "utf8");

export default defineConfig({
  // Made by the build, which a test does not need.
  resolve: { alias: [{ find: /^.*\/lib\/style\//, replacement: new URL("style/", import.meta.url).pathname }] },
  // A test that is about time says its own; the others may take long on a machine that does other work.
  test: { environment: "jsdom", testTimeout: 30_000, include: ["tests/**/*.test.{ts,mjs}"], provide: { hostile, ordinary } },
});
