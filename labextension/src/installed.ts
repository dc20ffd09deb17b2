/** What stands for the notebook's folder meanwhile: nothing can lie there. */
const NOWHERE = "/dev/null/notebook";
const PATH = '__import__("sys").path';

/**
 * Run lines of ours with what is installed. A notebook may lie in anybody's folder, and Python would import a file there
 * in the place of this package or of one that it needs. For the user's own cells the folder is where it was.
 */
export function withInstalled(lines: string[]): string {
  return [
    `${PATH}[:] = [folder or "${NOWHERE}" for folder in ${PATH}]`,
    "try:",
    ...lines.map((line) => `    ${line}`),
    "finally:",
    `    ${PATH}[:] = [folder if folder != "${NOWHERE}" else "" for folder in ${PATH}]`,
  ].join("\n");
}
