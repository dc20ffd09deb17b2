import { expect, it } from "vitest";
import { isName, kindOf, pathOf } from "../src/tab_kinds";
import { codeOf } from "../src/tab_code";

const ID = "0f3c1a52-3f0e-4c58-8f5e-b4f2ab3a3f10";
const NOWHERE = { context: "", namespace: "", endpoint: "" };

it("knows a tab again by the path of its session, in a folder too", () => {
  expect(kindOf(pathOf("serve", "", ID))).toBe("serve");
  expect(kindOf(`work/${pathOf("playground", "smol-2.1", ID)}`)).toBe("playground");
  expect(kindOf(`console-1-${ID}`)).toBeUndefined();
});

it("takes no name that leads into another folder", () => {
  expect(["smol-2.1", "", "x/../evil/kubeai-serve-", "a\\b"].map(isName)).toEqual([true, true, false, false]);
});

it("makes a form once a kernel, and shows the same one after a reload", () => {
  const code = codeOf(pathOf("serve", "", ID), NOWHERE);
  expect(code).toContain("    _kubeai_tab = kubeai_notebook.form()\ndisplay(_kubeai_tab)");
  expect(code).not.toContain("config");
});

it("hands the settings that are not empty to the kernel", () => {
  const code = codeOf(pathOf("playground", "smol", ID), { ...NOWHERE, context: 'a"b', namespace: "team" });
  expect(code).toContain('    _kubeai_tab = kubeai_notebook.attach("smol").playground()');
  expect(code).toContain(String.raw`run_line_magic("config", "KubeAI.context = \"a\\\"b\"")`);
  expect(code).toContain(String.raw`run_line_magic("config", "KubeAI.namespace = \"team\"")`);
  expect(code).not.toContain("endpoint");
});
