import { trans } from "../shared/translate";

export type Kind = "serve" | "playground";

export function titleOf(kind: Kind): string {
  return kind === "serve" ? trans.__("Serve a model") : trans.__("Model playground");
}

/** On a tab's panel. */
export const TAB = "kubeai-tab";
/** The path of a tab's session, by which the tab is known again after a reload. */
export const PATH = /(?:^|\/)kubeai-(serve|playground)-([a-z0-9.-]*)--[0-9a-f-]+$/;

/** Whether a path may hold this name: Jupyter starts the kernel in the folder that the path is in. */
export function isName(text: string): boolean {
  return /^[a-z0-9.-]*$/.test(text);
}

export function pathOf(kind: Kind, name: string, id: string): string {
  return `kubeai-${kind}-${name}--${id}`;
}

export function kindOf(path: string): Kind | undefined {
  return PATH.exec(path)?.[1] as Kind | undefined;
}
