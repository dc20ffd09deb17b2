import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

// The texts of strangers that the tests in Python have, too.
const script = "import json; from tests.support.hostile import hostile; print(json.dumps([[one.id, one.text] for one in hostile()]))";
const hostile = JSON.parse(execFileSync("python", ["-c", script], { cwd: "..", maxBuffer: 1 << 28 }).toString());
const ordinary = readFileSync("../tests/golden/ordinary.md", "utf8");

export default defineConfig({
  test: {
    environment: "jsdom",
    include: ["tests/**/*.test.ts"],
    provide: { hostile, ordinary },
    // A time-out ends what hangs; how fast a machine is decides no test.
    testTimeout: 60_000,
  },
});
