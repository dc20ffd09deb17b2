import { afterEach, expect, it, vi } from "vitest";

interface Container {
  init: (scope: object) => void;
  get: (module: string) => Promise<() => Record<string, unknown>>;
  packages: Record<string, unknown>;
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** The container as JupyterLab meets it, of an extension that imports these packages. */
async function container(packages: string[]): Promise<Container> {
  const all: Record<string, Container> = {};
  vi.stubGlobal("_JUPYTERLAB", all);
  vi.stubGlobal("NAME", "ours");
  vi.stubGlobal("INDEX", "data:text/javascript,export default ['a plugin']");
  vi.stubGlobal("PACKAGES", packages);
  await import("../src/container");
  const { ours } = all;
  if (ours === undefined) throw new Error("It made none.");
  return ours;
}

function shared(exports: string, loaded?: number) {
  return { get: () => Promise.resolve(() => exports), loaded };
}

it("gives the plugins in an object that JupyterLab can write into", async () => {
  const ours = await container([]);
  ours.init({});
  const module = (await ours.get("./extension"))();
  module.__scope__ = "ours";
  expect(module).toEqual({ __esModule: true, __scope__: "ours", default: ["a plugin"] });
});

it.each([
  ["the version that is in use", { "4.6.6": shared("4.6.6", 1), "4.10.0": shared("4.10.0") }, "4.6.6"],
  ["the first of those in use, which is JupyterLab's", { "2.2.2": shared("2.2.2", 1), "1.12.0": shared("1.12.0", 1) }, "2.2.2"],
  ["else the newest version", { "4.9.0": shared("4.9.0"), "4.10.0": shared("4.10.0"), "4.2.1": shared("4.2.1") }, "4.10.0"],
])("takes of a package %s", async (_which, versions, expected) => {
  const ours = await container(["@jupyterlab/application"]);
  ours.init({ "@jupyterlab/application": versions });
  await ours.get("./extension");
  expect(ours.packages).toEqual({ "@jupyterlab/application": expected });
});

it("does without a package that is not shared, as Notebook shares no launcher", async () => {
  const ours = await container(["@jupyterlab/launcher"]);
  ours.init({});
  await ours.get("./extension");
  expect(ours.packages).toEqual({ "@jupyterlab/launcher": {} });
});
