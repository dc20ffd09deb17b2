// Made from kubeai_notebook/present/trial_wire.py by `jlpm types`; do not edit.

/**
 * All of it, for `jlpm types`.
 */
export interface TrialWidget {
  state: TrialState;
  request: TrialRequest;
  [k: string]: unknown;
}
/**
 * The trial at one moment.
 *
 * This interface was referenced by `TrialWidget`'s JSON-Schema
 * via the `definition` "TrialState".
 */
export interface TrialState {
  model: string;
  kind: "rank" | "transcribe";
  code: string;
  most_texts: number;
  most_bytes: number;
  query: string;
  ranked: Row[];
  file: string;
  transcript: string;
  busy: string;
  problem: string;
}
/**
 * One row of the reader's frame.
 *
 * This interface was referenced by `TrialWidget`'s JSON-Schema
 * via the `definition` "Row".
 */
export interface Row {
  place: number;
  text: string;
  score: number | null;
}
/**
 * What is asked of the Model.
 *
 * This interface was referenced by `TrialWidget`'s JSON-Schema
 * via the `definition` "TrialRequest".
 */
export interface TrialRequest {
  verb: "rank" | "transcribe";
  query: string;
  /**
   * @maxItems 100
   */
  texts: string[];
  file: string;
}
