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
  facts: CardFact[];
  findings: CardFinding[];
  link: "live" | "reconnecting" | "closed";
  link_since_seconds: number;
  sent_at_seconds: number;
}
/**
 * One row of what a Model is.
 */
export interface CardFact {
  label: string;
  value: string;
}
/**
 * One explained problem, as the card shows it.
 */
export interface CardFinding {
  code: string;
  message: string;
  evidence: string;
  remedies: CardRemedy[];
}
/**
 * What would cure a problem, as the card shows it.
 */
export interface CardRemedy {
  id: string;
  number: number;
  title: string;
  kind: "change" | "command" | "advice";
  how: string;
}
