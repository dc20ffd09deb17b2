// Made from kubeai_notebook/present/wire.py by `jlpm types`; do not edit.

/**
 * Everything that a status card shows of one Model; whoever shows it decides nothing.
 */
export interface Card {
  name: string;
  namespace: string;
  where: string;
  phase: string;
  tone: "good" | "busy" | "warn" | "bad" | "quiet" | "gone";
  announcement: string;
  detail: string;
  next_step: string;
  note: string;
  progress: number | null;
  phase_since_seconds: number;
  steps: CardStep[];
  facts: CardFact[];
  findings: CardFinding[];
  verbs: ("fix" | "scale" | "pause" | "resume" | "restart" | "delete")[];
  playground: boolean;
  replicas: number;
  link: "live" | "reconnecting" | "closed";
  link_since_seconds: number;
  sent_at_seconds: number;
}
/**
 * One step of a Model's start.
 *
 * This interface was referenced by `Card`'s JSON-Schema
 * via the `definition` "CardStep".
 */
export interface CardStep {
  phase: string;
  state: "over" | "now" | "failed" | "next";
  seconds: number | null;
  last_seconds: number | null;
}
/**
 * One row of what a Model is.
 *
 * This interface was referenced by `Card`'s JSON-Schema
 * via the `definition` "CardFact".
 */
export interface CardFact {
  label: string;
  value: string;
}
/**
 * One explained problem, as the card shows it.
 *
 * This interface was referenced by `Card`'s JSON-Schema
 * via the `definition` "CardFinding".
 */
export interface CardFinding {
  code: string;
  message: string;
  evidence: string;
  remedies: CardRemedy[];
}
/**
 * What would cure a problem, as the card shows it.
 *
 * This interface was referenced by `Card`'s JSON-Schema
 * via the `definition` "CardRemedy".
 */
export interface CardRemedy {
  id: string;
  number: number;
  title: string;
  kind: "change" | "command" | "advice";
  how: string;
}
/**
 * How a `Request` stands.
 *
 * This interface was referenced by `Card`'s JSON-Schema
 * via the `definition` "Answer".
 */
export interface Answer {
  id: string;
  state: "queued" | "doing" | "done" | "failed";
  note: string;
  diff: string[];
  restarts: boolean;
  resource_version: string;
  details: Details | null;
  notices: NoticeLine[];
}
/**
 * The newest Events, the last one first, and the end of the engine's log.
 *
 * This interface was referenced by `Card`'s JSON-Schema
 * via the `definition` "Details".
 */
export interface Details {
  events: EventLine[];
  log: string;
  pod: string;
  problem: string;
}
/**
 * What happened to a Model's Pods.
 *
 * This interface was referenced by `Card`'s JSON-Schema
 * via the `definition` "EventLine".
 */
export interface EventLine {
  at_seconds: number;
  text: string;
}
/**
 * Something wrong or doubtful, as a widget shows it under its field.
 *
 * This interface was referenced by `Card`'s JSON-Schema
 * via the `definition` "NoticeLine".
 */
export interface NoticeLine {
  code: string;
  severity: "error" | "warning" | "info";
  field: string;
  message: string;
  remedy: string;
}
/**
 * One Model in the live table.
 *
 * This interface was referenced by `Card`'s JSON-Schema
 * via the `definition` "ModelRow".
 */
export interface ModelRow {
  name: string;
  phase: string;
  tone: "good" | "busy" | "warn" | "bad" | "quiet" | "gone";
  ready: number;
  desired: number;
  engine: string;
  features: string;
  profile: string;
  created_seconds: number;
  problem: string;
}
/**
 * All Models of a namespace at one moment.
 *
 * This interface was referenced by `Card`'s JSON-Schema
 * via the `definition` "ModelsTable".
 */
export interface ModelsTable {
  where: string;
  rows: ModelRow[];
  link: "live" | "reconnecting" | "closed";
  link_since_seconds: number;
  sent_at_seconds: number;
}
/**
 * What a browser asks of a Model that its widget shows.
 *
 * This interface was referenced by `Card`'s JSON-Schema
 * via the `definition` "Request".
 */
export interface Request {
  id: string;
  verb: ("fix" | "scale" | "pause" | "resume" | "restart" | "delete") | ("look" | "idle" | "show");
  name: string;
  replicas: number;
  remedy_id: string;
  resource_version: string;
  yes: boolean;
  dry_run: boolean;
}
