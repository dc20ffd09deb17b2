import { LabIcon } from "@jupyterlab/ui-components";

const SVG = "http://www.w3.org/2000/svg";
// A box in three layers: a Model, its replicas behind it. `jp-icon3` follows the theme.
const ICON = "M12 2 3 6.5 12 11l9-4.5zM3 11l9 4.5 9-4.5v2.3L12 18l-9-4.7zM3 15.6l9 4.5 9-4.5V18l-9 4.5L3 18z";

/** KubeAI's icon as JupyterLab's own: a launcher card draws no other. */
export const labIcon = new LabIcon({
  name: "kubeai:model",
  svgstr: `<svg xmlns="${SVG}" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" d="${ICON}"/></svg>`,
});

/** Draw KubeAI's icon in the sidebar. */
export function icon(host: HTMLElement): void {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "kubeai-sidebar-icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", "jp-icon3");
  path.setAttribute("fill", "#616161");
  path.setAttribute("d", ICON);
  svg.append(path);
  host.replaceChildren(svg);
}
