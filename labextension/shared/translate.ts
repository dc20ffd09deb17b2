/** What is used of JupyterLab's translator. */
export interface Translates {
  /** The text in the reader's language; its `%1`, `%2` … are the values. */
  __(text: string, ...values: (string | number)[]): string;
  /** The same of something counted: `%1` is the count. */
  _n(one: string, many: string, count: number, ...values: (string | number)[]): string;
}

const english: Translates = {
  __: (text, ...values) => text.replace(/%(\d)/g, (_, place) => String(values[Number(place) - 1])),
  _n: (one, many, count, ...values) => english.__(count === 1 ? one : many, count, ...values),
};

/**
 * English, as long as no other language is set. So it stays in a notebook's output: most words there come from Python,
 * which speaks English, and a notebook is read by others than the one who ran it.
 */
export let trans = english;

/** Have the views of this page's JupyterLab extension speak a language; words that are shown already stay. */
export function speak(language: Translates): void {
  trans = language;
}
