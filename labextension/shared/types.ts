// Made from kubeai_notebook/present/{wire,server_wire}.py by `jlpm types`; do not edit.

/**
 * What a browser asks of a Model that its widget shows.
 */
export interface Request {
  id: string;
  verb: ("fix" | "scale" | "pause" | "resume" | "restart" | "delete") | ("look" | "idle" | "show");
  name: string;
  uid: string;
  replicas: number;
  remedy_id: string;
  resource_version: string;
  yes: boolean;
  dry_run: boolean;
}
/**
 * Everything that a status card shows of one Model; whoever shows it decides nothing.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "Card".
 */
export interface Card {
  name: string;
  namespace: string;
  uid: string;
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
 * This interface was referenced by `Request`'s JSON-Schema
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
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "CardFact".
 */
export interface CardFact {
  label: string;
  value: string;
}
/**
 * One explained problem, as the card shows it.
 *
 * This interface was referenced by `Request`'s JSON-Schema
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
 * This interface was referenced by `Request`'s JSON-Schema
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
 * What is new since a poll; the same as a stream tells.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "Changes".
 */
export interface Changes {
  id: string;
  reset: boolean;
  models: ModelChange[];
  gone: Gone[];
  link: LinkState;
}
/**
 * One Model as it is now: its row in a list, and its card.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "ModelChange".
 */
export interface ModelChange {
  row: ModelRow;
  card: Card;
  uid: string;
}
/**
 * One Model in the live table.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "ModelRow".
 */
export interface ModelRow {
  name: string;
  uid: string;
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
 * A Model that is there no more.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "Gone".
 */
export interface Gone {
  name: string;
}
/**
 * How fresh all that a stream has told is.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "LinkState".
 */
export interface LinkState {
  link: "live" | "reconnecting" | "closed";
  since_seconds: number;
  where: string;
  mark: string;
  notices: NoticeLine[];
}
/**
 * Something wrong or doubtful, as a widget shows it under its field.
 *
 * This interface was referenced by `Request`'s JSON-Schema
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
 * Text to be copied.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "CodeText".
 */
export interface CodeText {
  language: "python" | "yaml";
  text: string;
}
/**
 * The contexts that this server can work in.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "Contexts".
 */
export interface Contexts {
  names: string[];
  current: string;
  namespace: string;
}
/**
 * The newest Events, the last one first, and the end of the engine's log.
 *
 * This interface was referenced by `Request`'s JSON-Schema
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
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "EventLine".
 */
export interface EventLine {
  at_seconds: number;
  text: string;
}
/**
 * What a verb did, or in a dry run would do.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "Done".
 */
export interface Done {
  action: string;
  name: string;
  note: string;
  diff: string[];
  restarts: boolean;
  dry_run: boolean;
  resource_version: string;
  uid: string;
  under_way: boolean;
  request_id: string;
  notices: NoticeLine[];
}
/**
 * The Events of a Model's Pods, the newest first.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "Events".
 */
export interface Events {
  events: EventLine[];
}
/**
 * The end of one container's log.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "LogText".
 */
export interface LogText {
  pod: string;
  text: string;
}
/**
 * All Models of a namespace at one moment.
 *
 * This interface was referenced by `Request`'s JSON-Schema
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
 * Why a request failed; every error of every route has this form.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "Problem".
 */
export interface Problem {
  notices: NoticeLine[];
  note: string;
  diff: string[];
}
/**
 * How a `Request` stands.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "RequestProgress".
 */
export interface RequestProgress {
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
 * Which cluster and namespace this server works in, and as whom.
 *
 * This interface was referenced by `Request`'s JSON-Schema
 * via the `definition` "Where".
 */
export interface Where {
  label: string;
  mark: string;
  cluster: string;
  namespace: string;
  server: string;
  user: string;
  this_machine: boolean;
  link: "live" | "reconnecting" | "closed";
  version: string;
}
