/**
 * What JupyterLab loads of this extension with every page: it gives the plugins by the interface of module federation.
 *
 * A bundler's own container is larger than all else that is needed before the sidebar is opened: it fetches scripts and
 * compares ranges of versions, where a browser imports modules itself and JupyterLab shares one version of a package.
 */
interface Shared {
  get: () => Promise<() => unknown>;
  loaded?: boolean | number;
}

/** By the name of a package, then by its version. */
export type Scope = Record<string, Record<string, Shared>>;

// Put in by build.mjs.
declare const NAME: string;
declare const INDEX: string;
declare const PACKAGES: string[];

let scope: Scope = {};
const packages: Record<string, unknown> = {};
const container = {
  packages,
  init: (given: Scope) => {
    scope = given;
  },
  get: async () => {
    await Promise.all(PACKAGES.map(share));
    const plugins = (await import(INDEX)) as object;
    // JupyterLab writes into what it is given, and a module cannot be written into.
    return () => ({ __esModule: true, ...plugins });
  },
};
const global = globalThis as { _JUPYTERLAB?: Record<string, unknown> };
(global._JUPYTERLAB ??= {})[NAME] = container;

/** Take the version of a package that is in use, JupyterLab's own first, else the newest; of one that is not shared, nothing. */
async function share(name: string): Promise<void> {
  const versions = Object.entries(scope[name] ?? {});
  const inUse = versions.find(([, { loaded }]) => loaded);
  const [, chosen] = inUse ?? versions.sort(([one], [other]) => other.localeCompare(one, undefined, { numeric: true }))[0] ?? [];
  if (chosen) chosen.loaded = 1;
  packages[name] = chosen ? (await chosen.get())() : {};
}
