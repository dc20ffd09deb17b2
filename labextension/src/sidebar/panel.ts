import { Panel, Widget } from "@lumino/widgets";
import css from "../../lib/style/panel.css";
import { button, copyable, copyInto, element, put, putText, setBusy } from "../../shared/dom";
import { trans } from "../../shared/translate";
import type { CodeText, Contexts, NoticeLine, Where } from "../../shared/types";
import { StatusCardView } from "../../widgets/status_card";
import { linkText } from "../../shared/words";
import { addStyle } from "../style";
import { ServerAsker } from "./asker";
import { share } from "./browser_stream";
import { ModelList } from "./list";
import { LogView } from "./log";
import { answerOf, refusalOf, type Fetcher, type Shown } from "../request";
import { featuresOf, grouped, Store } from "./store";

addStyle(css);

/** What the panel needs of JupyterLab. */
export interface Host {
  fetcher: Fetcher;
  /** The server's address: tabs of one server share a stream. */
  server: string;
  hasCommand(name: string): boolean;
  execute(name: string, values?: Record<string, string>): void;
  /** Put code into the active cell of the notebook that was used last, or below it; its title, nothing without a cell. */
  insert(code: string): string;
  /** Whether the user wants a question before a Model is deleted. */
  confirms(): boolean;
}

/** The sidebar's inside; loaded when it is first opened. */
export class ModelsPanel extends Panel {
  private readonly store = new Store(() => {
    this.later();
  });
  private readonly list = new ModelList((name) => {
    this.open(name);
  });
  private readonly place = new PlaceView(this);
  private readonly search = element("input", "kubeai-sidebar-search");
  private readonly feature = element("select", "");
  private readonly serve = button(trans.__("Serve a model …"));
  private readonly link = element("p", "kubeai-sidebar-faint");
  private readonly notices = element("div", "kubeai-sidebar-notices");
  private readonly none = element("p", "kubeai-sidebar-faint");
  private readonly empty = element("div", "kubeai-sidebar-empty");
  private readonly model = element("div", "kubeai-sidebar-model-view");
  private readonly filters = element("div", "kubeai-sidebar-row");
  private opened: OpenedModel | undefined;
  private listening: AbortController | undefined;
  private hurries: () => void = () => undefined;
  private drawing = 0;
  private readonly ticking: ReturnType<typeof setInterval>;

  constructor(readonly host: Host) {
    super();
    this.addClass("kubeai-sidebar-panel");
    this.search.type = "search";
    this.search.placeholder = trans.__("Search Models");
    this.search.setAttribute("aria-label", this.search.placeholder);
    this.feature.setAttribute("aria-label", trans.__("Feature"));
    this.link.setAttribute("role", "status");
    this.notices.setAttribute("role", "alert");
    this.none.setAttribute("role", "status");
    for (const control of [this.search, this.feature]) {
      control.addEventListener("input", () => {
        this.draw();
      });
    }
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") this.list.focusOn(this.shownNames()[0] ?? "");
    });
    this.serve.addEventListener("click", () => {
      host.execute("kubeai:serve");
    });
    this.filters.append(this.search, this.feature, this.serve);
    this.empty.append(
      element("p", "", trans.__("There are no Models here yet. In a notebook, these two lines serve a small one:")),
      copyLine("%load_ext kubeai_notebook"),
      copyLine("%kubeai_serve smol ollama://smollm2:135m"),
    );
    this.model.hidden = true;
    const head = element("div", "kubeai-sidebar-head");
    head.append(this.place.node, this.link, this.notices, this.filters, this.none, this.empty);
    for (const widget of [new Widget({ node: head }), this.list, new Widget({ node: this.model })]) this.addWidget(widget);
    this.ticking = setInterval(() => {
      this.opened?.tick();
    }, 1000);
    this.draw();
  }

  /** Follow the Models while the sidebar is seen, and no longer. */
  follow(seen: boolean): void {
    if (seen === (this.listening !== undefined)) return;
    this.listening?.abort();
    this.listening = undefined;
    if (!seen) return;
    this.listening = new AbortController();
    this.hurries = share(`kubeai ${this.host.server}`, this.host.fetcher, this.store, this.listening.signal);
    void this.place.look();
  }

  /** Have the Models told at once: after a failure it would be waited for long. */
  hurry(): void {
    this.hurries();
  }

  override dispose(): void {
    this.follow(false);
    clearInterval(this.ticking);
    this.opened?.stop();
    super.dispose();
  }

  /** Draw it anew soon, as after something has changed that it shows. */
  later(): void {
    if (this.drawing === 0) {
      // Not by frames: a page that is not seen has none, and would draw all at once later.
      this.drawing = window.setTimeout(() => {
        this.drawing = 0;
        this.draw();
      }, 50);
    }
  }

  private shown() {
    return grouped(this.store.models.values(), this.search.value, this.feature.value);
  }

  private shownNames(): string[] {
    return this.shown().flatMap(({ models }) => models.map(({ row }) => row.name));
  }

  private draw(): void {
    const { models, link, problem } = this.store;
    const known = link !== undefined;
    this.place.told(link?.where ?? "");
    this.keepOpened();
    const notices = problem.length > 0 ? problem : (link?.notices ?? []);
    showNotices(this.notices, notices);
    const old = known && (problem.length > 0 || link.link !== "live");
    put(this.link, old ? linkText({ link: "reconnecting", link_since_seconds: link.since_seconds }, this.store.now())
      : known || notices.length > 0 ? "" : trans.__("Connecting …"));
    this.filters.hidden = this.opened !== undefined;
    this.serve.hidden = !this.host.hasCommand("kubeai:serve");
    this.search.hidden = this.feature.hidden = models.size === 0;
    this.drawFeatures();
    const groups = this.shown();
    this.list.draw(groups);
    const unmatched = this.opened === undefined && models.size > 0 && groups.length === 0;
    put(this.none, unmatched ? trans.__("No Model here matches. Search for less, or choose all features.") : "");
    this.list.setHidden(this.opened !== undefined || models.size === 0);
    this.empty.hidden = this.opened !== undefined || models.size > 0 || !known || notices.length > 0;
    this.opened?.show(this.store);
  }

  private drawFeatures(): void {
    const all = [...new Set([...this.store.models.values()].flatMap(({ row }) => featuresOf(row.features)))].sort();
    const wanted = ["", ...all];
    if ([...this.feature.options].map(({ value }) => value).join() === wanted.join()) return;
    const before = this.feature.value;
    this.feature.replaceChildren(...wanted.map((name) => new Option(name || trans.__("All features"), name)));
    this.feature.value = wanted.includes(before) ? before : "";
  }

  /**
   * Of another place, and of a Model that was made anew, nothing holds that was asked about the card before: no
   * question and no press that settles. The focus is left to whoever has it elsewhere.
   */
  private keepOpened(): void {
    const { opened, store } = this;
    if (opened === undefined) return;
    const { name, where, uid } = opened.model;
    const focused = this.model.contains(document.activeElement);
    if (store.link?.mark !== where) this.leave(focused);
    else if ((store.models.get(name)?.uid ?? uid) !== uid) this.open(name, focused);
  }

  private open(name: string, focused = true): void {
    this.opened?.stop();
    const model = { name, where: this.store.link?.mark ?? "", uid: this.store.models.get(name)?.uid ?? "" };
    this.opened = new OpenedModel(model, this.host, this.store, () => {
      this.leave();
    });
    this.model.replaceChildren(this.opened.node);
    this.model.hidden = false;
    this.draw();
    if (focused) this.opened.back.focus();
  }

  private leave(focused = true): void {
    const name = this.opened?.model.name ?? "";
    this.opened?.stop();
    this.opened = undefined;
    this.model.hidden = true;
    this.model.replaceChildren();
    this.draw();
    if (focused) this.list.focusOn(name);
  }
}

/** One Model: its card, what can be copied of it, Events and log. */
class OpenedModel {
  readonly node = element("div", "");
  readonly back = button(trans.__("‹ All Models"));
  private readonly card: StatusCardView;
  private readonly gone = element("p", "", trans.__("This Model is not there any more."));
  private readonly tools = element("div", "kubeai-buttons");
  private readonly status = element("p", "kubeai-sidebar-faint");

  constructor(
    readonly model: Shown,
    private readonly host: Host,
    store: Store,
    onBack: () => void,
  ) {
    const openPlayground = () => {
      host.execute("kubeai:playground", { name: model.name });
    };
    const asker = new ServerAsker(host.fetcher, model, openPlayground, () => host.confirms());
    const log = new LogView(host.fetcher, model);
    const clock = { now: () => store.now() };
    this.card = new StatusCardView(clock, asker, log);
    this.back.addEventListener("click", onBack);
    this.status.setAttribute("role", "status");
    this.gone.hidden = true;
    const insert = button(trans.__("Insert code"));
    const copyYaml = trans.__("Copy YAML");
    const yaml = button(copyYaml);
    insert.addEventListener("click", () => {
      void this.text("code", insert, (text) => {
        const title = host.insert(text);
        const there = trans.__("The code is in the active cell of %1.", title);
        putText(this.status, title ? there : trans.__("Open a notebook first: no cell is active."));
        return Promise.resolve();
      });
    });
    yaml.addEventListener("click", () => {
      void this.text("yaml", yaml, async (text) => {
        const copied = await copyInto(this.status, yaml, text);
        putText(this.status, copied ? trans.__("The YAML is copied.") : text);
        putText(yaml, copyYaml);
      });
    });
    this.tools.append(insert, yaml);
    this.node.append(this.back, this.gone, this.card.node, this.tools, this.status);
  }

  show(store: Store): void {
    const focused = this.node.contains(document.activeElement);
    this.draw(store);
    const { activeElement } = document;
    // What had the focus may be gone, as with a Model that was deleted.
    if (focused && (!this.node.contains(activeElement) || activeElement?.closest("[hidden]"))) this.back.focus();
  }

  private draw(store: Store): void {
    const change = store.models.get(this.model.name);
    this.gone.hidden = change !== undefined;
    this.tools.hidden = this.card.node.hidden = change === undefined;
    if (change === undefined) return;
    const { card } = change;
    const live = store.link?.link === "live" && store.problem.length === 0;
    const playground = card.playground && this.host.hasCommand("kubeai:playground");
    const since = store.link?.since_seconds ?? 0;
    this.card.show({ ...card, playground, link: live ? "live" : "reconnecting", link_since_seconds: since });
  }

  tick(): void {
    this.card.tick();
  }

  stop(): void {
    this.card.stop();
  }

  private async text(what: "code" | "yaml", pressed: HTMLButtonElement, use: (text: string) => Promise<void>): Promise<void> {
    setBusy(pressed, true);
    try {
      const { name, where } = this.model;
      await use((await answerOf<CodeText>(this.host.fetcher, "GET", `models/${name}/${what}`, { where })).text);
    } catch (error) {
      putText(this.status, refusalOf(error).message);
    } finally {
      setBusy(pressed, false);
    }
  }
}

/** Which cluster and namespace, as whom, and the way to another one. */
class PlaceView {
  readonly node = element("details", "kubeai-sidebar-place");
  private readonly summary = element("summary", "", "KubeAI");
  private readonly who = element("p", "kubeai-sidebar-faint");
  private readonly context = element("select", "");
  private readonly namespace = element("input", "");
  private readonly go = button(trans.__("Switch"));
  private readonly status = element("p", "");
  private where = "";

  constructor(private readonly panel: { host: Host; hurry(): void }) {
    this.status.setAttribute("role", "status");
    const form = element("form", "kubeai-sidebar-form");
    form.append(labelled(trans.__("Context"), this.context), labelled(trans.__("Namespace"), this.namespace), this.go);
    this.go.type = "submit";
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.change();
    });
    // What was refused is over as soon as somewhere else is meant.
    form.addEventListener("input", () => {
      putText(this.status, "");
    });
    this.node.addEventListener("toggle", () => {
      if (this.node.open) return;
      putText(this.status, "");
      void this.look();
    });
    this.node.append(this.summary, this.who, form, this.status);
  }

  /** The stream says where it is: after another tab has switched, it is elsewhere. */
  told(where: string): void {
    if (where === "" || where === this.where) return;
    if (this.where !== "") putText(this.status, "");
    this.where = where;
    putText(this.summary, `KubeAI ${where}`);
    void this.look();
  }

  async look(): Promise<void> {
    const { fetcher } = this.panel.host;
    try {
      const { names, current, namespace } = await answerOf<Contexts>(fetcher, "GET", "contexts");
      this.context.replaceChildren(...names.map((name) => new Option(name, name)));
      // Where that place cannot be reached, this is all that is known of it.
      this.context.value = current;
      this.namespace.value = namespace;
      this.show(await answerOf<Where>(fetcher, "GET", "where"));
    } catch (error) {
      refusalOf(error); // (the stream says it)
    }
  }

  private show({ label, cluster, namespace, server, user, this_machine: here }: Where): void {
    putText(this.summary, `KubeAI ${label}`);
    putText(this.who, [server, user === "" ? "" : trans.__("as %1", user)].filter(Boolean).join(" "));
    this.context.value = here ? "local" : cluster;
    this.namespace.value = namespace;
  }

  private async change(): Promise<void> {
    setBusy(this.go, true);
    putText(this.status, trans.__("Working …"));
    const values = { context: this.context.value, namespace: this.namespace.value.trim() };
    try {
      this.show(await answerOf<Where>(this.panel.host.fetcher, "POST", "where", values));
      putText(this.status, "");
      this.panel.hurry();
    } catch (error) {
      putText(this.status, refusalOf(error).message);
    } finally {
      setBusy(this.go, false);
    }
  }
}

function showNotices(node: HTMLElement, notices: readonly NoticeLine[]): void {
  const wanted = JSON.stringify(notices);
  if (node.dataset.shown === wanted) return;
  node.dataset.shown = wanted;
  node.replaceChildren(
    ...notices.map(({ message, remedy }) => {
      const one = element("div", "");
      one.append(element("p", "", message), element("p", "kubeai-sidebar-faint", remedy));
      return one;
    }),
  );
}

function labelled(text: string, control: HTMLElement): HTMLElement {
  const label = element("label", "", text);
  label.append(control);
  return label;
}

function copyLine(text: string): HTMLElement {
  const line = copyable(text);
  line.className = "kubeai-sidebar-line";
  return line;
}
