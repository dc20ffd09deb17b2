import { answerOf, refusalOf, type Fetcher } from "./request";
import type { Place } from "./settings";

/** In each answer of a server that nobody has told where to work since it started: a mark of that server. */
const UNTOLD = "KubeAI-Untold";

/**
 * All that this page asks of the server half, which works where the settings say.
 *
 * The place is a setting of the server's process, so a server that starts anew under an open page has forgotten it. It
 * says so in its answers; then it is told again before anything it has answered of another place is shown.
 */
export class ServerHalf {
  private place = { context: "", namespace: "" };
  private told = "";
  private telling: Promise<void> | undefined;

  /** `send` asks the server; `refused` hears why it does not work where the settings say, and before each try nothing. */
  constructor(
    private readonly send: Fetcher,
    private readonly refused: (why: string) => void,
  ) {}

  readonly fetcher: Fetcher = async (path, init = {}) => {
    const answer = await this.send(path, init);
    const server = answer.headers.get(UNTOLD) ?? "";
    const { context, namespace } = this.place;
    if (server === "" || context + namespace === "") return answer;
    // Each server once: one whose Jupyter lets this user tell it nothing would be told for ever.
    if (server !== this.told) void (this.telling ?? this.workAt(this.place));
    this.told = server;
    if (this.telling === undefined || (init.method ?? "GET") !== "GET") return answer;
    void answer.body?.cancel(); // unread, it would keep its connection
    await this.telling;
    return this.send(path, init);
  };

  /** Have the server work where the settings say, now and after it has started anew. */
  async workAt({ context, namespace }: Omit<Place, "endpoint">): Promise<void> {
    this.place = { context, namespace };
    const telling = this.tell().finally(() => {
      if (this.telling === telling) this.telling = undefined;
    });
    this.telling = telling;
    await telling;
  }

  private readonly noted: Fetcher = async (path, init) => {
    const answer = await this.send(path, init);
    this.told = answer.headers.get(UNTOLD) ?? this.told;
    return answer;
  };

  private async tell(): Promise<void> {
    this.refused("");
    try {
      await answerOf(this.noted, "POST", "where", this.place);
    } catch (error) {
      const { message, notices } = refusalOf(error);
      // A server half that is missing, or away, is told of in the sidebar.
      if (notices.some(({ code }) => code === "ServerHalfMissing" || code === "JupyterAway")) return;
      this.refused(message);
    }
  }
}
