// Made from kubeai_notebook/present/playground_wire.py by `jlpm types`; do not edit.

/**
 * All that a page shows beside texts.
 */
export interface PlaygroundState {
  columns: string[];
  choices: string[];
  exchanges: ExchangeLine[];
  busy: boolean;
  reads_pictures: boolean;
  settings: {
    [k: string]: string;
  };
  context_of: string;
  context_tokens: number;
  context_length: number;
  problem: string;
}
/**
 * A prompt and its answers.
 *
 * This interface was referenced by `PlaygroundState`'s JSON-Schema
 * via the `definition` "ExchangeLine".
 */
export interface ExchangeLine {
  number: number;
  siblings: number[];
  vote: number | null;
  answers: AnswerLine[];
}
/**
 * How the answer of a column stands, without its words.
 *
 * This interface was referenced by `PlaygroundState`'s JSON-Schema
 * via the `definition` "AnswerLine".
 */
export interface AnswerLine {
  column: number;
  model: string;
  state: "waiting" | "streaming" | "asking" | "done" | "stopped" | "failed";
  pieces: number;
  note: string;
  calls: CallLine[];
  calls_not_shown: string;
  calls_id: string;
  figures: string;
}
/**
 * A function that a model wants called.
 *
 * This interface was referenced by `PlaygroundState`'s JSON-Schema
 * via the `definition` "CallLine".
 */
export interface CallLine {
  name: string;
  arguments: string;
}
/**
 * What a playground tells its page beside its state.
 *
 * This interface was referenced by `PlaygroundState`'s JSON-Schema
 * via the `definition` "PlaygroundMessage".
 */
export interface PlaygroundMessage {
  texts: Text[];
  taken: boolean;
  problem: string;
  formulas: string;
}
/**
 * The whole text of a prompt or an answer (``whole``), or its next piece.
 *
 * This interface was referenced by `PlaygroundState`'s JSON-Schema
 * via the `definition` "Text".
 */
export interface Text {
  exchange: number;
  column: number;
  seq: number;
  whole: boolean;
  text: string;
  reasoning: string;
  pictures: string[];
  figures: string;
}
/**
 * What a page asks for.
 *
 * This interface was referenced by `PlaygroundState`'s JSON-Schema
 * via the `definition` "PlaygroundRequest".
 */
export interface PlaygroundRequest {
  verb:
    | "ask"
    | "edit"
    | "regenerate"
    | "choose"
    | "vote"
    | "stop"
    | "columns"
    | "settings"
    | "allow"
    | "refuse"
    | "clear"
    | "text"
    | "formulas";
  exchange: number;
  column: number | null;
  calls_id: string;
  text: string;
  pictures: string[];
  sure: boolean;
  columns: string[];
  settings: {
    [k: string]: string;
  };
}
