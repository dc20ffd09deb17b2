// Made from kubeai_notebook/present/embedding_wire.py by `jlpm types`; do not edit.

/**
 * All of it, for `jlpm types`.
 */
export interface EmbeddingWidgets {
  state: EmbeddingState;
  request: EmbeddingRequest;
  map_state: MapState;
  map_request: MapRequest;
  hover: Hover;
  [k: string]: unknown;
}
/**
 * The playground at one moment.
 *
 * This interface was referenced by `EmbeddingWidgets`'s JSON-Schema
 * via the `definition` "EmbeddingState".
 */
export interface EmbeddingState {
  model: string;
  column: string;
  rows: number;
  most_texts: number;
  texts: string[];
  cosines: number[][];
  query: string;
  nearest: Row[];
  map_is_open: boolean;
  busy: string;
  problem: string;
}
/**
 * One row of the reader's frame.
 *
 * This interface was referenced by `EmbeddingWidgets`'s JSON-Schema
 * via the `definition` "Row".
 */
export interface Row {
  place: number;
  text: string;
  score: number | null;
}
/**
 * What the playground asks: cosines of texts, the rows nearest to a question, or the map.
 *
 * This interface was referenced by `EmbeddingWidgets`'s JSON-Schema
 * via the `definition` "EmbeddingRequest".
 */
export interface EmbeddingRequest {
  verb: "compare" | "search" | "map";
  /**
   * @maxItems 12
   */
  texts: string[];
  query: string;
}
/**
 * The map at one moment, but for its points.
 *
 * This interface was referenced by `EmbeddingWidgets`'s JSON-Schema
 * via the `definition` "MapState".
 */
export interface MapState {
  model: string;
  column: string;
  color: string;
  count: number;
  without_vector: number;
  colors: string[];
  legend: LegendLine[];
  selected_count: number;
  selected: Row[];
  busy: string;
  problem: string;
}
/**
 * One colour of the map.
 *
 * This interface was referenced by `EmbeddingWidgets`'s JSON-Schema
 * via the `definition` "LegendLine".
 */
export interface LegendLine {
  label: string;
  color: string;
  count: number;
}
/**
 * What the map asks: to select the rows nearest to a question, or a point's text.
 *
 * This interface was referenced by `EmbeddingWidgets`'s JSON-Schema
 * via the `definition` "MapRequest".
 */
export interface MapRequest {
  verb: "search" | "hover";
  query: string;
  place: number;
}
/**
 * The text of the point that the pointer is on.
 *
 * This interface was referenced by `EmbeddingWidgets`'s JSON-Schema
 * via the `definition` "Hover".
 */
export interface Hover {
  place: number;
  text: string;
}
