import { LabIcon } from "@jupyterlab/ui-components";

// A box in three layers: a Model, its replicas behind it. `jp-icon3` follows the theme.
const PATH = "M12 2 3 6.5 12 11l9-4.5zM3 11l9 4.5 9-4.5v2.3L12 18l-9-4.7zM3 15.6l9 4.5 9-4.5V18l-9 4.5L3 18z";

/** KubeAI's icon, which JupyterLab sizes for each place. */
export const labIcon = new LabIcon({
  name: "kubeai:model",
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" d="${PATH}"/></svg>`,
});
