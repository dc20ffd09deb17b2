import type { JupyterFrontEnd } from "@jupyterlab/application";
import { Notification, showErrorMessage } from "@jupyterlab/apputils";
import { ServerConnection } from "@jupyterlab/services";
import { trans } from "../shared/translate";
import { ServerHalf } from "./server_half";

let half: ServerHalf | undefined;

/** The server half, as all of this page asks it. */
export function serverHalf(app: JupyterFrontEnd): ServerHalf {
  const settings = app.serviceManager.serverSettings;
  // Not by URLExt.join, which would take the query for a part of the path.
  half ??= new ServerHalf((path, init = {}) => ServerConnection.makeRequest(`${settings.baseUrl}kubeai/${path}`, init, settings), tellWhy);
  return half;
}

let shown = "";

/** Whoever wrote the settings hears why the server half does not work there; nothing takes it back. */
function tellWhy(why: string): void {
  if (shown !== "") Notification.dismiss(shown);
  shown = "";
  if (why === "") return;
  // A notification holds 140 characters.
  const message = trans.__("KubeAI cannot work where its settings say; the Jupyter server stays in the place it was in.");
  const callback = () => void showErrorMessage(trans.__("KubeAI's settings"), why);
  shown = Notification.error(message, { autoClose: false, actions: [{ label: trans.__("Why"), callback }] });
}
