// Builds the sidebar by esbuild, which builds the widgets too: two style sheets, the modules, and the entry that
// JupyterLab loads with every page (src/container.ts says why it is not a bundler's own).
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

const { name, version, description, license, jupyterlab } = JSON.parse(readFileSync("package.json", "utf8"));
const { outputDir, schemaDir } = jupyterlab;
const SCHEMAS = path.join(outputDir, "schemas", name);
const STATIC = path.join(outputDir, "static");
/** How esbuild writes that a module needs names of a package. */
const IMPORT = /import\{([^}]*)\}from"(@(?:jupyterlab|lumino)\/[^"]*)";/g;
/** The end of a module's name, and a name in a text. */
const HASH = /\.[A-Z0-9]{8}\.js$/;
const NAME = /[\w-]+\.[A-Z0-9]{8}\.js/g;
const options = {
  bundle: true,
  chunkNames: "[name].[hash]",
  entryNames: "[name].[hash]",
  format: "esm",
  minify: true,
  outdir: STATIC,
  target: "es2022",
};

rmSync(outputDir, { force: true, recursive: true });
mkdirSync(SCHEMAS, { recursive: true });
await build({ bundle: true, entryPoints: ["style/index.css", "style/panel.css"], minify: true, outdir: "lib/style" });
const modules = await build({
  ...options,
  entryPoints: ["src/index.ts"],
  external: ["@jupyterlab/*", "@lumino/*"],
  loader: { ".css": "text" },
  metafile: true,
  splitting: true,
  write: false,
});
/** The packages that JupyterLab shares with these modules: a browser finds none by its name, the container has them. */
const packages = new Set();
const FOUND = `const shared=_JUPYTERLAB["${name}"].packages;`;
mkdirSync(STATIC);
const texts = new Map(modules.outputFiles.map(({ path: file, text }) => [path.basename(file), linked(file, text)]));
// esbuild's own names are of what stood there before it was linked: a browser would keep what an older build.mjs linked.
const names = new Map([...texts.keys()].map((name) => [name, name.replace(HASH, `.${hashOf(name)}.js`)]));
for (const [name, text] of texts) {
  writeFileSync(path.join(STATIC, names.get(name)), text.replace(NAME, (one) => names.get(one) ?? one));
}
// What JupyterLab shows under Help, Licenses.
if (Object.keys(modules.metafile.inputs).some((file) => file.startsWith("node_modules/"))) throw new Error("Name their licenses here.");
writeFileSync(path.join(STATIC, "third-party-licenses.json"), JSON.stringify({ packages: [] }));
const index = `./${[...names.values()][0]}`;
const container = await build({
  ...options,
  // JupyterLab loads a script and no module, so that its names would be everybody's.
  banner: { js: "(()=>{" },
  define: { INDEX: JSON.stringify(index), NAME: JSON.stringify(name), PACKAGES: JSON.stringify([...packages]) },
  entryPoints: ["src/container.ts"],
  external: [index],
  footer: { js: "})()" },
  metafile: true,
});

const load = path.posix.join("static", path.basename(Object.keys(container.metafile.outputs)[0]));
const described = { name, version, description, license, jupyterlab: { ...jupyterlab, _build: { extension: "./extension", load } } };
copyFileSync(path.join(schemaDir, "plugin.json"), path.join(SCHEMAS, "plugin.json"));
// JupyterLab asks the first for its plugins, and the second for the version of their settings.
for (const file of [path.join(outputDir, "package.json"), path.join(SCHEMAS, "package.json.orig")])
  writeFileSync(file, `${JSON.stringify(described, null, 2)}\n`);

/** A module with JupyterLab's packages taken from the container. */
function linked(file, text) {
  const made = text.replace(IMPORT, (_, taken, one) => {
    packages.add(one);
    return `const{${taken.replaceAll(" as ", ":")}}=shared["${one}"];`;
  });
  if (/"@(jupyterlab|lumino)\//.test(made.replaceAll(/=shared\["[^"]*"\]/g, ""))) throw new Error(`${file} is not linked.`);
  return made === text ? text : FOUND + made;
}

/** Of a module and of all that it leads to, since it names them. */
function hashOf(name) {
  const hash = createHash("sha256").update(name);
  const reached = new Set([name]);
  for (const one of reached) {
    hash.update(texts.get(one));
    for (const [other] of texts.get(one).matchAll(NAME)) if (texts.has(other)) reached.add(other);
  }
  return hash.digest("hex").slice(0, 8).toUpperCase();
}
