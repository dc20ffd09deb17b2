import { trans } from "../shared/translate";
import type { NoticeLine } from "../shared/types";

/** Sends a request with the page's login; `path` is below the server half's root. */
export type Fetcher = (path: string, init?: RequestInit) => Promise<Response>;

/** Why a request failed, in the words of whoever refused it. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly notices: readonly NoticeLine[],
    readonly note = "",
    readonly diff: readonly string[] = [],
  ) {
    super(notices.map(({ message, remedy }) => [message, remedy].filter(Boolean).join(" ")).join("\n"));
  }
}

/** What was caught, where it is a Refusal; anything else is a mistake of ours, and is thrown on. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  throw error;
}

/** A Model as the sidebar shows it, for requests that are refused where the server works in another place by now. */
export interface Shown {
  readonly name: string;
  /** The mark of its place. */
  readonly where: string;
  /** A Model that is made anew under its name has another one. */
  readonly uid: string;
}

/** What no server half can say of itself. */
const NOTICES = {
  away: () =>
    notice("JupyterAway", trans.__("The Jupyter server does not answer."), trans.__("All goes on as soon as it is back.")),
  missing: () =>
    notice(
      "ServerHalfMissing",
      trans.__("This Jupyter server does not have kubeai_notebook, so it cannot show Models."),
      trans.__("Run pip install kubeai-notebook in the environment that JupyterLab runs in, and start JupyterLab again."),
    ),
  unreadable: () =>
    notice(
      "UnreadableAnswer",
      trans.__("The Jupyter server's answer cannot be read."),
      trans.__("Where your login has ended, log in again and reload this page."),
    ),
  other: (status: number) =>
    notice("HttpError", trans.__("The Jupyter server answered %1.", status), trans.__("Try again in a moment.")),
};

/** A response that is well; else a Refusal, whose Notices are the server's own where it gave any. */
export async function asked(fetcher: Fetcher, path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetcher(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Refusal(0, [NOTICES.away()]);
  }
  if (response.ok) return response;
  const problem: unknown = await response.json().catch(() => null);
  if (isProblem(problem)) throw new Refusal(response.status, problem.notices, problem.note, problem.diff);
  throw new Refusal(response.status, [response.status === 404 ? NOTICES.missing() : NOTICES.other(response.status)]);
}

/** The Refusal of an answer that is none of ours, such as a login's page in its place, or one that was cut. */
export function unreadable({ status }: Response): Refusal {
  return new Refusal(status, [NOTICES.unreadable()]);
}

/** What a verb answers. */
export async function answerOf<Answer>(
  fetcher: Fetcher,
  method: "GET" | "POST" | "DELETE",
  path: string,
  values: Readonly<Record<string, string | number | boolean>> = {},
): Promise<Answer> {
  const query = new URLSearchParams(Object.entries(values).map(([name, value]) => [name, String(value)])).toString();
  const inBody = method === "POST";
  const target = inBody || query === "" ? path : `${path}?${query}`;
  const response = await asked(fetcher, target, inBody ? { method, body: JSON.stringify(values) } : { method });
  try {
    return (await response.json()) as Answer;
  } catch {
    throw unreadable(response);
  }
}

function notice(code: string, message: string, remedy: string): NoticeLine {
  return { code, severity: "error", field: "", message, remedy };
}

function isProblem(value: unknown): value is { notices: NoticeLine[]; note: string; diff: string[] } {
  return typeof value === "object" && value !== null && "notices" in value && "diff" in value;
}
