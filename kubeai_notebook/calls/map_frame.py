"""From a table and what is asked of its rows to a running Job: all is checked before the first request."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from kubeai_notebook.core.answer_schema import answer_schema
from kubeai_notebook.core.map_fields import REQUEST, checked_map_fields
from kubeai_notebook.core.marked_text import MarkedText
from kubeai_notebook.core.prompt_template import PromptTemplate, names_in
from kubeai_notebook.errors import UsageError
from kubeai_notebook.store import Store, default_path

from .batch import Batch, BatchPlan
from .job import Job
from .question import MOST_FAILED_SHARE, Limits, Question, Target
from .tables import Answers, FrameTable, ParquetTable, texts_in

if TYPE_CHECKING:
    from kubeai_notebook.core.answer_schema import AnswerSchema
    from kubeai_notebook.core.map_fields import MapFields

    from .endpoint import Endpoint

_Job = TypeVar("_Job", bound=Job)
LIKELIEST = "Labels were asked for at temperature 0, the likeliest each time; another temperature samples them."
Errors = Literal["column", "frame", "raise"]
"""Where the reasons of failed rows go: into a column, into a frame beside the result, or into an exception."""


@dataclass(frozen=True, slots=True)
class PlannedMap:
    """A batch of which nothing was sent so far."""

    plan: BatchPlan
    table: FrameTable | ParquetTable
    store_path: Path | None
    fresh: bool = False

    def asking(self, target: Target) -> PlannedMap:
        """The same of this Target, where more is known of it by now."""
        return replace(self, plan=replace(self.plan, question=replace(self.plan.question, target=target)))

    def start(self, endpoint: Endpoint, job: type[_Job]) -> _Job:
        """Begin to ask the rows, in the Endpoint's loop."""
        batch = Batch(endpoint, self.plan, self.table, store=Store(self.store_path, fresh=self.fresh))
        endpoint.loop.begin(batch)
        return job(batch, self.table, endpoint.loop.submit(batch.run(), to_its_end=True))


def planned_map(target: Target, table: Any, *, prompt: str, fields: MapFields) -> PlannedMap:
    """Check everything that `Model.map` is given; ``target.adapter`` is that of ``fields``.

    Raises:
        UsageError: the prompt, the schema, the table or another argument cannot be.
    """
    fields = checked_map_fields(fields, "map")
    answers = answers_of(fields)
    if at_once := fields.get("concurrency"):
        target = replace(target, most_in_flight=int(at_once))
    question = _question_of(target, fields, answers.schema)
    table, prompt = _with_texts(table, prompt)
    checked_table = _table_of(table, fields, answers)
    template = PromptTemplate(prompt, checked_table.columns, chosen=fields.get("columns"))
    plan = BatchPlan(question=question, template=template, limits=_limits_of(fields), raises=answers.errors == "raise")
    return PlannedMap(plan, checked_table, _store_path(fields.get("store")), fresh=bool(fields.get("fresh")))


def _with_texts(table: Any, prompt: str) -> tuple[Any, str]:
    """Texts alone as a frame of one column, which the prompt names; one that names none has the text below it.

    Raises:
        UsageError: the prompt names several.
    """
    texts = None if isinstance(table, str | Path) or not isinstance(prompt, str) else texts_in(table)
    if texts is None:
        return table, prompt
    names = names_in(prompt)
    if len(names) > 1:
        message = f"The prompt names {' and '.join(f'{{{name}}}' for name in names)}, and a list gives one text a row."
        raise UsageError(message, "pandas.DataFrame({…}) makes a table of several columns.")
    name, *_ = names or ["text"]
    if isinstance(texts, list):
        import pandas as pd

        frame: Any = pd.DataFrame({name: pd.Series(texts, dtype="object")})
    else:
        frame = texts.to_frame(name=name)
    doubled = f"{{{{{name}}}}}" in prompt
    return frame, prompt if names or doubled else MarkedText.of(prompt).part(f"{prompt}\n\n{{{name}}}")


def answers_of(fields: MapFields) -> Answers:
    """The columns that a table gets.

    Raises:
        UsageError: ``errors`` or the schema cannot be.
    """
    into, errors = fields.get("into") or "", fields.get("errors") or "column"
    if errors not in get_args(Errors):
        raise UsageError(f'errors= takes "column", "frame" or "raise", not {errors!r}.')
    return Answers(answer_schema(fields.get("schema"), into=into), prefix=f"{into}_" if into else "", errors=errors)


def _limits_of(fields: MapFields) -> Limits:
    named: dict[str, Any] = {
        "rows": fields.get("limit"),
        "tokens": fields.get("max_tokens_total"),
        "timeout_seconds": fields.get("timeout_seconds"),
        "attempts": fields.get("attempts"),
    }
    given = {name: value for name, value in named.items() if value is not None}
    return Limits(errors=fields.get("max_errors", MOST_FAILED_SHARE), **given)


def _question_of(target: Target, fields: MapFields, schema: AnswerSchema) -> Question:
    named: dict[str, Any] = {name: fields.get(name) for name in REQUEST}
    options = {name: value for name, value in named.items() if value is not None} | dict(fields.get("extra_body") or {})
    # A label is a decision: sampled, the same row had another one the next time.
    likeliest = bool(schema.labels) and "temperature" not in options
    return Question(
        target=target,
        schema=schema,
        system=fields.get("system") or "",
        options={**options, "temperature": 0} if likeliest else options,
        remark=LIKELIEST if likeliest else "",
    )


def _table_of(table: Any, fields: MapFields, answers: Answers) -> FrameTable | ParquetTable:
    to = fields.get("to")
    if isinstance(table, str) and not _may_be_a_path(table):
        if table.isidentifier():
            how = f"Write it without quotes: {table}."
            raise UsageError(f'map() takes the table itself, not its name "{table}".', how)
        raise UsageError("map() takes a table or a list of texts, not one text.", "Put it into a list.")
    if not isinstance(table, str | Path):
        if to is not None:
            raise UsageError("to= is for a Parquet file that is read from a path.", "A frame comes back as a frame.")
        return FrameTable(table, answers)
    path = _path_of(table)
    if not os.path.isfile(path):  # noqa: PTH113 - Path raises for a text that is too long for a name
        raise UsageError(f"There is no file {table}.", f"Check the path; one that is relative begins in {Path.cwd()}.")
    if to is None:
        raise UsageError(f'to="…" names the Parquet file that {table} with its answers is written to.')
    if answers.errors == "frame":
        raise UsageError('errors="frame" is for frames; a file keeps the reasons in its column.')
    return ParquetTable(path, _path_of(to), answers)


def _may_be_a_path(text: str) -> bool:
    """Whether the text names a file that is there, or is written as one that is not."""
    if os.path.exists(text):  # noqa: PTH110 - Path raises for a text that is too long for a name
        return True
    is_one_word = not any(map(str.isspace, text))
    return text.endswith(".parquet") or (is_one_word and bool({os.sep, "\\"} & set(text) or Path(text).suffix))


def _path_of(written: str | Path) -> Path:
    """The path as a user writes it, whose folder may be ``~``."""
    return Path(os.path.expanduser(written))  # noqa: PTH111 - Path raises where no such user is


def _store_path(store: Any) -> Path | None:
    if isinstance(store, str | Path):
        return _path_of(store)
    return None if store is False else default_path()
