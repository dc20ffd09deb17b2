import type { JupyterFrontEnd } from "@jupyterlab/application";
import { Notification, showErrorMessage } from "@jupyterlab/apputils";
import { ServerConnection } from "@jupyterlab/services";
import type { Place } from "./kinds";
import { answerOf, Refusal } from "./sidebar/request";

/** Ask the server half. */
export function request(app: JupyterFrontEnd, path: string, init: RequestInit = {}): Promise<Response> {
  const settings = app.serviceManager.serverSettings;
  // Not by URLExt.join, which would take the query for a part of the path.
  return ServerConnection.makeRequest(`${settings.baseUrl}kubeai/${path}`, init, settings);
}

/** Have the server half work where the settings say; whoever wrote them hears why it does not. */
export async function workThere(app: JupyterFrontEnd, { context, namespace }: Omit<Place, "endpoint">): Promise<void> {
  if (refused !== "") Notification.dismiss(refused);
  try {
    await answerOf((path, init) => request(app, path, init), "POST", "where", { context, namespace });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // A server half that is missing says so in the sidebar.
    if (error.notices.some(({ code }) => code === "ServerHalfMissing" || code === "JupyterAway")) return;
    // A notification holds 140 characters.
    const message = "KubeAI cannot work where its settings say; the Jupyter server stays in the place it was in.";
    const callback = () => void showErrorMessage("KubeAI's settings", error.message);
    refused = Notification.error(message, { autoClose: false, actions: [{ label: "Why", callback }] });
  }
}
let refused = "";
