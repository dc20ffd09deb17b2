// Made from kubeai_notebook/present/form_wire.py by `jlpm types`; do not edit.

/**
 * All that crosses the wire, for the types of the browser's half.
 */
export interface FormWidgets {
  messages: MessagesState;
  actions: ActionsState;
  rows: RowsState;
  number: NumberState;
  secret_value: SecretValueState;
  code: CodeState;
  starts: StartsState;
}
/**
 * The traits of a `messages` widget.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "MessagesState".
 */
export interface MessagesState {
  field: string;
  lines: MessageLine[];
  about: string | null;
}
/**
 * One line below a field, or of a checklist.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "MessageLine".
 */
export interface MessageLine {
  severity: "error" | "warning" | "info" | "well" | "change";
  text: string;
  remedies: MessageRemedy[];
}
/**
 * A button that makes a change of the form.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "MessageRemedy".
 */
export interface MessageRemedy {
  id: string;
  title: string;
}
/**
 * The traits of a `buttons` widget.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "ActionsState".
 */
export interface ActionsState {
  buttons: Action[];
  status: string;
}
/**
 * One button of the form.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "Action".
 */
export interface Action {
  id: string;
  title: string;
  primary: boolean;
  enabled: boolean;
  expanded: boolean | null;
}
/**
 * The traits of a `rows` widget.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "RowsState".
 */
export interface RowsState {
  label: string;
  columns: RowColumn[];
  rows: string[][];
  uploads: boolean;
}
/**
 * One column of a row editor.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "RowColumn".
 */
export interface RowColumn {
  title: string;
  placeholder: string;
  multiline: boolean;
  suggestions: string[];
}
/**
 * The traits of a `number` widget.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "NumberState".
 */
export interface NumberState {
  label: string;
  help: string;
  placeholder: string;
  value: number | null;
}
/**
 * The traits of a `secret_value` widget: the variables that have a value, and no value.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "SecretValueState".
 */
export interface SecretValueState {
  names: string[];
}
/**
 * The traits of a `code` widget.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "CodeState".
 */
export interface CodeState {
  tabs: CodeTab[];
  edited: number | null;
}
/**
 * One text that stands for the form, exactly: it is copied, and shown in an editor or as a text node.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "CodeTab".
 */
export interface CodeTab {
  title: string;
  text: string;
  editable: boolean;
  reason: string;
}
/**
 * The traits of a `starts` widget; what is chosen is told by its place among the options of all groups.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "StartsState".
 */
export interface StartsState {
  label: string;
  groups: StartGroup[];
}
/**
 * What a form can be filled from, of one kind and under its heading.
 *
 * This interface was referenced by `FormWidgets`'s JSON-Schema
 * via the `definition` "StartGroup".
 */
export interface StartGroup {
  title: string;
  options: string[];
}
