"""What a word of a line stands for: a variable's value, an expression's, or a schema.

A chat and a batch take the same words for the same schema. A word that came out of a variable, ``$reply``, may hold
what a model says: it is a text, or the very name of a table, and never an expression.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.errors import UsageError

from . import expressions
from .tables import tables_in

if TYPE_CHECKING:
    from .invocation import Invocation


def value_of(call: Invocation, word: str) -> Any:
    """The value of a variable, or of an expression that the user typed; ``None`` where there is none.

    What was typed may also name IPython's own: ``_``, ``Out[3]``.
    """
    if word in call.options.filled:
        return call.variables[word] if word in tables_in(call.variables) else None
    try:
        return expressions.value_of(word, call.shell.user_ns, data_only=False)
    except Exception:  # noqa: BLE001 - the user's own expression, which may raise anything
        return None


def schema_of(call: Invocation) -> Any:
    """What ``--schema`` stands for: a variable's value, an expression's, JSON, or labels between commas.

    Raises:
        UsageError: it is none of these.
    """
    text = call.options.schema
    is_typed = text not in call.options.filled
    if text is None or (is_typed and call.variables.get(text) is not None):
        return text and call.variables[text]
    if text.lstrip().startswith(("{", "[")):
        return _json_in(text)
    labels = [label.strip() for label in text.split(",") if label.strip()]
    if len(labels) > 1:
        return labels
    if not is_typed:
        how = "Name the variable itself, without $ or braces, where it holds a list of labels or a pydantic class."
        raise UsageError(f"--schema: a variable holds {quoted(text)}, which is neither labels nor JSON.", how)
    if (value := value_of(call, text)) is None:
        how = "Labels have commas between them (good,bad); a variable holds a list of them or a pydantic class."
        raise UsageError(f"There is no variable {quoted(text)}.{did_you_mean(text, call.variables)}", how)
    return value


def _json_in(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        how = "Put it in single quotation marks, or name the variable that holds it."
        raise UsageError("--schema is not JSON.", how) from None
