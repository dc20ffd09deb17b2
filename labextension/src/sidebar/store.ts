import type { LinkState, ModelChange, NoticeLine } from "../../shared/types";

/** What a stream, a poll or another tab tells. */
export interface News {
  /** All Models are in it, or follow before the next link. */
  reset?: boolean;
  /** What a listener has come to with this. */
  id?: string;
  models?: readonly ModelChange[];
  gone?: readonly string[];
  link?: LinkState;
  /** Why nothing comes; an empty list takes it back. */
  problem?: readonly NoticeLine[];
  /** The server's time. */
  now?: number;
}

/** All that is known of the Models; written only by what is told. */
export class Store {
  models = new Map<string, ModelChange>();
  link: LinkState | undefined;
  problem: readonly NoticeLine[] = [];
  /** The id to go on from. */
  id = "";
  private aheadSeconds = 0;
  /** What has come of a list that is not whole yet: it is shown when it is, so no half of it is ever seen. */
  private coming: Map<string, ModelChange> | undefined;

  constructor(private readonly changed: () => void) {}

  take(news: News): void {
    if (news.now !== undefined) this.aheadSeconds = news.now - Date.now() / 1000;
    if (news.reset) this.coming = new Map();
    const models = this.coming ?? this.models;
    for (const change of news.models ?? []) models.set(change.row.name, change);
    for (const name of news.gone ?? []) models.delete(name);
    if (news.id !== undefined) this.id = news.id;
    if (news.problem !== undefined) this.problem = news.problem;
    if (news.link !== undefined) {
      this.link = news.link;
      if (this.coming !== undefined) this.models = this.coming;
      this.coming = undefined;
    }
    this.changed();
  }

  /** The server's time, by which its cards count. */
  now(): number {
    return Date.now() / 1000 + this.aheadSeconds;
  }

  /** All of it, for a tab that knows nothing yet; nothing where it is not whole. */
  whole(): News | undefined {
    if (this.link === undefined || this.coming !== undefined) return undefined;
    return { reset: true, id: this.id, models: [...this.models.values()], link: this.link, problem: this.problem, now: this.now() };
  }
}

export interface Group {
  phase: string;
  models: ModelChange[];
}

const TONES = ["bad", "warn", "busy", "good", "quiet", "gone"];

/** The Models that a search and a feature leave, by phase: first those that need somebody. */
export function grouped(models: Iterable<ModelChange>, search: string, feature: string): Group[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const left = [...models].filter(({ row }) => {
    const text = [row.name, row.phase, row.engine, row.profile, row.features, row.problem].join(" ").toLowerCase();
    return words.every((word) => text.includes(word)) && (feature === "" || featuresOf(row.features).includes(feature));
  });
  left.sort((one, other) => rank(one) - rank(other) || compare(one.row.phase, other.row.phase) || compare(one.row.name, other.row.name));
  const groups: Group[] = [];
  for (const model of left) {
    const last = groups.at(-1);
    if (last?.phase === model.row.phase) last.models.push(model);
    else groups.push({ phase: model.row.phase, models: [model] });
  }
  return groups;
}

/** A row's features, as Python joined them. */
export function featuresOf(features: string): string[] {
  return features.split(", ").filter(Boolean);
}

function rank({ row }: ModelChange): number {
  return TONES.indexOf(row.tone);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
