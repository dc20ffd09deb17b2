"""From a table and what is asked of its rows to a running Job: all is checked here, before the first request."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from kubeai_notebook.core.answer_schema import AnswerSchema, Schema, answer_schema
from kubeai_notebook.core.prompt_template import PromptTemplate
from kubeai_notebook.errors import UsageError
from kubeai_notebook.store import Store, default_path

from .batch import Batch, Plan
from .job import Job
from .question import Limits, Question, Target
from .tables import Answers, FrameTable, ParquetTable, new_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .endpoint import Endpoint

Errors = Literal["column", "frame", "raise"]
"""Where the reasons of failed rows go: into a column, into a frame beside the result, or into an exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """Everything that is asked of the rows of a table; `Model.map` documents each."""

    prompt: str
    schema: Schema = None
    into: str = ""
    columns: Sequence[str] | None = None
    system: str = ""
    errors: Errors = "column"
    limits: Limits = field(default_factory=Limits)
    store: bool | Path = True
    to: str | Path | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the OpenAI API."""

    def __post_init__(self) -> None:
        """Refuse what is no way to tell errors.

        Raises:
            UsageError: ``errors`` is something else.
        """
        if self.errors not in get_args(Errors):
            raise UsageError(f'errors= takes "column", "frame" or "raise", not {self.errors!r}.')

    @property
    def answers(self) -> Answers:
        """The columns that the table gets."""
        schema = self.answer_schema
        prefix = f"{self.into}_" if self.into else ""
        return Answers(new_columns(schema.columns, prefix, self.errors), len(schema.columns))

    @property
    def answer_schema(self) -> AnswerSchema:
        """What the answers look like."""
        return answer_schema(self.schema, into=self.into)


def start_map(endpoint: Endpoint, target: Target, frame: Any, options: MapOptions) -> Job:
    """Begin to ask every row, in the Endpoint's loop.

    Raises:
        UsageError: the prompt, the schema, the table or an option cannot be; nothing was sent.
    """
    table = _table_of(frame, options)
    raises = options.errors == "raise"
    plan = Plan(
        question=Question(
            target=target,
            schema=options.answer_schema,
            system=options.system,
            options={name: value for name, value in options.request.items() if value is not None},
        ),
        template=PromptTemplate(options.prompt, table.columns, chosen=options.columns),
        limits=options.limits,
        raises=raises,
    )
    batch = Batch(endpoint, plan, table, open_store=lambda: Store(_store_path(options.store)))
    return Job(batch, table, endpoint.loop.submit(batch.run()), raises=raises)


def _table_of(frame: Any, options: MapOptions) -> FrameTable | ParquetTable:
    if not isinstance(frame, str | Path):
        if options.to is not None:
            raise UsageError("to= is for a Parquet file that is read from a path.", "A frame comes back as a frame.")
        return FrameTable(frame, options.answers, errors=options.errors)
    if options.to is None:
        raise UsageError(f'to="…" names the Parquet file that the answers to {frame} are written to.')
    if options.errors == "frame":
        raise UsageError('errors="frame" is for frames; a file keeps the reasons in its column.')
    return ParquetTable(Path(frame), Path(options.to), options.answers)


def _store_path(store: bool | Path) -> Path | None:
    if isinstance(store, Path):
        return store
    return default_path() if store else None
