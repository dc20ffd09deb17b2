"""From a table and what is asked of its rows to a running Job: all is checked before the first request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from kubeai_notebook.core.answer_schema import answer_schema
from kubeai_notebook.core.map_fields import REQUEST, check_map_fields
from kubeai_notebook.core.prompt_template import PromptTemplate
from kubeai_notebook.errors import UsageError
from kubeai_notebook.store import Store, default_path

from .batch import Batch, Plan
from .job import Job
from .question import MOST_FAILED_SHARE, Limits, Question, Target
from .tables import Answers, FrameTable, ParquetTable, new_columns

if TYPE_CHECKING:
    from kubeai_notebook.core.map_fields import MapFields

    from .endpoint import Endpoint

_Job = TypeVar("_Job", bound=Job)
Errors = Literal["column", "frame", "raise"]
"""Where the reasons of failed rows go: into a column, into a frame beside the result, or into an exception."""


@dataclass(frozen=True, slots=True)
class PlannedMap:
    """A batch of which nothing was sent so far."""

    plan: Plan
    table: FrameTable | ParquetTable
    store_path: Path | None

    def start(self, endpoint: Endpoint, job: type[_Job]) -> _Job:
        """Begin to ask the rows, in the Endpoint's loop."""
        batch = Batch(endpoint, self.plan, self.table, store=Store(self.store_path))
        return job(batch, self.table, endpoint.loop.submit(batch.run()), raises=self.plan.raises)


def planned_map(target: Target, table: Any, *, prompt: str, fields: MapFields) -> PlannedMap:
    """Check everything that `Model.map` is given; ``target.adapter`` is that of ``fields``.

    Raises:
        UsageError: the prompt, the schema, the table or another argument cannot be.
    """
    check_map_fields(fields, "map")
    errors = _errors_of(fields)
    question = _question_of(target, fields)
    there = _table_of(table, fields, answers_of(fields))
    template = PromptTemplate(prompt, there.columns, chosen=fields.get("columns"))
    plan = Plan(question=question, template=template, limits=_limits_of(fields), raises=errors == "raise")
    return PlannedMap(plan, there, _store_path(fields.get("store")))


def answers_of(fields: MapFields) -> Answers:
    """The columns that a table gets."""
    into = fields.get("into") or ""
    schema = answer_schema(fields.get("schema"), into=into)
    return Answers(new_columns(schema.columns, f"{into}_" if into else "", _errors_of(fields)), len(schema.columns))


def _limits_of(fields: MapFields) -> Limits:
    named: dict[str, Any] = {
        "rows": fields.get("limit"),
        "tokens": fields.get("max_tokens_total"),
        "timeout_seconds": fields.get("timeout_seconds"),
        "attempts": fields.get("attempts"),
    }
    given = {name: value for name, value in named.items() if value is not None}
    return Limits(errors=fields.get("max_errors", MOST_FAILED_SHARE), **given)


def _errors_of(fields: MapFields) -> str:
    errors = fields.get("errors") or "column"
    if errors not in get_args(Errors):
        raise UsageError(f'errors= takes "column", "frame" or "raise", not {errors!r}.')
    return errors


def _question_of(target: Target, fields: MapFields) -> Question:
    named: dict[str, Any] = {name: fields.get(name) for name in REQUEST}
    return Question(
        target=target,
        schema=answer_schema(fields.get("schema"), into=fields.get("into") or ""),
        system=fields.get("system") or "",
        options={name: value for name, value in named.items() if value is not None}
        | dict(fields.get("extra_body") or {}),
    )


def _table_of(table: Any, fields: MapFields, answers: Answers) -> FrameTable | ParquetTable:
    to, errors = fields.get("to"), _errors_of(fields)
    if not isinstance(table, str | Path):
        if to is not None:
            raise UsageError("to= is for a Parquet file that is read from a path.", "A frame comes back as a frame.")
        return FrameTable(table, answers, errors=errors)
    if to is None:
        raise UsageError(f'to="…" names the Parquet file that {table} with its answers is written to.')
    if errors == "frame":
        raise UsageError('errors="frame" is for frames; a file keeps the reasons in its column.')
    return ParquetTable(Path(table), Path(to), answers)


def _store_path(store: Any) -> Path | None:
    if isinstance(store, str | Path):
        return Path(store)
    return None if store is False else default_path()
