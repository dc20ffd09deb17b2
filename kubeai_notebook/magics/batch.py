"""Magics for tables: map, embed, compare.

A table is named as it is written in Python: a variable, or an expression without blanks and calls such as ``df[:9]``.
The prompt of a map stands below the line, where no brace is IPython's: a line's ``{text}`` would be the variable text.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.batch_progress import SHOWN_FAILURES, FailedRow, Progress, place_of
from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.naming import name_and_adapter
from kubeai_notebook.core.prompt_template import names_in
from kubeai_notebook.errors import CallError, UsageError
from kubeai_notebook.text import one_line

from .invocation import Shown
from .parser import MagicParser, parser_for
from .tables import columns_of, tables_in
from .templating import check_names, marked_cell
from .variables import schema_of, value_of

if TYPE_CHECKING:
    from kubeai_notebook.present.comparison_frame import ComparisonFrame

    from .invocation import Invocation


@cache
def map_parser() -> MagicParser:
    """The options of ``%%kubeai_map``."""
    parser = parser_for(
        "%%kubeai_map",
        "Ask a Model about every row of a table, and get it back with the answers in new columns. The cell's text is\n"
        "the prompt: {column} stands for the row's cell, {{name}} for a variable. Answers are kept, so the same cell\n"
        "asks for new rows only; an interrupt keeps what is there.",
        "%%kubeai_map smol reviews --schema good,bad --temperature 0\n  Is this review good or bad? {text}",
        "%%kubeai_map smol reviews --into summary --max-tokens 20 -o out\n  Sum this up: {text}",
        "%%kubeai_map smol reviews --limit 2 --max-tokens 20 --fresh\n  Answer in the style of {{topic}}: {text}",
        "%%kubeai_map smol reviews --max-tokens 20 --background -o job\n  What is this about? {text}",
        synopsis="NAME TABLE [options]",
    )
    add = parser.add_argument
    add("name", metavar="NAME", help="name of the Model, or NAME_ADAPTER")
    add("table", metavar="TABLE", help="a DataFrame's variable, or the path of a Parquet file")
    add("--schema", metavar="LABELS", help="good,bad: one of these; or the variable of a list or a pydantic class")
    add("--into", metavar="COLUMN", help="the name of the new column")
    add("--limit", type=int, metavar="N", help="ask the first N rows only")
    add("--concurrency", type=int, metavar="N", help="the most requests in flight")
    add("--errors", metavar="WHERE", help="where reasons go: column (the default), frame, or raise at the first")
    add("--fresh", action="store_true", help="ask all rows again, also those whose answers are kept")
    add("--background", action="store_true", help="return at once, with a job that has a Stop button")
    add("--to", metavar="FILE", help="the Parquet file that is written, where TABLE is the path of one")
    _add_sampling(parser)
    add("--raw", action="store_true", help="leave {{…}} in the cell as it is")
    return parser


@cache
def embed_parser() -> MagicParser:
    """The options of ``%kubeai_embed``."""
    parser = parser_for(
        "%kubeai_embed",
        "Make vectors: of a table's column, which becomes a new column of the table; of a Series or a list; or of\n"
        "the text that stands behind the name. The prefix that the Model's family wants is put in, and told.",
        "%kubeai_embed mini reviews text -o out",
        "%kubeai_embed mini reviews text --into vector",
        "%kubeai_embed mini --query How good is the soup?",
        "vectors = %kubeai_embed mini reviews.text",
        synopsis="NAME TABLE COLUMN [options]\n       %kubeai_embed NAME TEXT [options]",
    )
    add = parser.add_argument
    add("name", metavar="NAME", help="name of the Model")
    add("what", nargs="+", metavar="TABLE COLUMN", help="a DataFrame and its column, a Series or a list, or a text")
    add("--query", action="store_true", help="these are questions, and not texts that are to be found")
    add("--into", metavar="COLUMN", default="embedding", help="the name of the new column; default embedding")
    return parser


@cache
def compare_parser() -> MagicParser:
    """The options of ``%kubeai_compare``."""
    parser = parser_for(
        "%kubeai_compare",
        "Ask two Models the same, or a Model and its adapter (NAME_ADAPTER): one row a prompt, with both answers,\n"
        "seconds and tokens/s. As %%kubeai_compare each line of the cell is a prompt; with lines of --- between\n"
        "them, prompts may have several lines.",
        "%kubeai_compare smol other --max-tokens 20 What is the capital of France?",
        "%%kubeai_compare smol other --max-tokens 20 --temperature 0 -o both\n  Name a cheese.\n  What is a {{topic}}?",
        "%%kubeai_compare smol other --max-tokens 20\n  Translate:\n  Hello.\n  ---\n  Name a cheese.",
        synopsis="A B [options] [PROMPT]",
        takes_text=True,
    )
    add = parser.add_argument
    add("name", metavar="A", help="name of a Model, or NAME_ADAPTER")
    add("other", metavar="B", help="the other one")
    _add_sampling(parser)
    add("--raw", action="store_true", help="leave {{…}} in the cell as it is")
    return parser


def _add_sampling(parser: MagicParser) -> None:
    add = parser.add_argument
    add("--system", metavar="TEXT", help="an instruction that stands before each prompt")
    add("--max-tokens", type=int, metavar="N", help="end an answer after so many tokens")
    add("--temperature", type=float, metavar="T", help="0: the likeliest answer each time, the default for labels")
    add("--seed", type=int, metavar="N", help="the same seed gives the same answer where the engine can")


def map(call: Invocation) -> Any:  # noqa: A001 - the verb's name
    """The table with the answers, or a job."""
    options = call.options
    cell = marked_cell(call, of_rows=True)
    prompt = cell.part(cell.strip())
    if not prompt:
        how = f"Begin the cell with %%kubeai_map {shlex.join((options.name, options.table))} and write it below."
        raise UsageError("%%kubeai_map needs a prompt in the lines below its own.", how)
    table = _table(call)
    check_names(call, columns_of(table))
    _check_braces(prompt, call, columns_of(table))
    options.name, adapter = name_and_adapter(options.name)
    fields = {
        "adapter": adapter or None, "schema": schema_of(call),
        "into": options.into, "errors": options.errors,
        "limit": options.limit, "concurrency": options.concurrency,
        "fresh": options.fresh or None, "to": options.to, **_request(call),
    }  # fmt: skip
    given = {name: value for name, value in fields.items() if value is not None}
    if options.background or options.quiet:
        job = call.model.map(table, prompt, block=False, **given)
        return job if options.background else Shown(job.result())
    result = call.model.map(table, prompt, **given)
    _show(result if isinstance(result, tuple) else (result,))
    return Shown(result)


def _show(tables: tuple[Any, ...]) -> None:
    """Show tables that hold a Model's words, whatever kind they are; a path shows itself."""
    from IPython.display import display

    from kubeai_notebook.present.plain_frame import plain_view

    display(*(plain_view(table) for table in tables))


def _check_braces(prompt: str, call: Invocation, columns: list[str]) -> None:
    """Refuse a variable in single braces, which are for columns.

    Raises:
        UsageError: the prompt holds one, and the table has no such column.
    """
    for name in names_in(prompt) if columns else ():
        if name in call.variables and name not in columns:
            message = f"{{{name}}} stands for a column, and the table has none of this name."
            raise UsageError(message, f"Your variable takes double braces: {{{{{name}}}}}.")


def embed(call: Invocation) -> Any:
    """The table with a column of vectors, or the vectors as a table."""
    import narwhals as nw

    from kubeai_notebook.present.plain_frame import plain_view

    options, model = call.options, call.model
    role = "query" if options.query else "passage"
    value, column = _embedded(call)
    prefix = getattr(model.embedding_prefixes, role)
    if prefix and not options.quiet:
        from .live_output import write

        write(f'{model.name} gets "{prefix}" before each text, as its family was trained.\n')
    if column:
        begun_seconds = time.monotonic()
        result = model.embed_column(value, column, role=role, into=options.into)
        if not options.quiet:
            rows = nw.from_native(result, eager_only=True)
            _count_failed(
                model.name,
                rows[f"{options.into}_error"].to_list(),
                labels=nw.maybe_get_index(rows),
                seconds=time.monotonic() - begun_seconds,
            )
        return result
    # Its rows are named by their texts, which may be a model's words.
    return plain_view(model.embed(value, role=role))


def _count_failed(model: str, reasons: list[Any], *, labels: Any, seconds: float) -> None:
    """Say how many rows have no vector, and why, in the words of a map; nothing where each has one."""
    from kubeai_notebook.present.batch_report import batch_text

    from .live_output import write

    failed = [
        FailedRow(place_of(labels, offset), one_line(reason))
        for offset, reason in enumerate(reasons)
        if isinstance(reason, str)
    ]
    if failed:
        rows, last = len(reasons), tuple(failed[-SHOWN_FAILURES:])
        counts: Any = {"rows": rows, "done": rows, "failed": len(failed), "seconds": seconds}
        write(batch_text(Progress(model=model, failures=last, ended="All rows are done.", **counts)) + "\n")


def _embedded(call: Invocation) -> tuple[Any, str]:
    """A table and its column, or a Series of texts and no column.

    Raises:
        UsageError: it is neither, or a table's column is missing.
    """
    import pandas as pd

    first, *rest = call.options.what
    # So many words are a text, and so is one that came out of a variable.
    is_text = len(rest) > 1 or (not rest and first in call.options.filled)
    value = None if is_text else value_of(call, first)
    if columns := columns_of(value):
        if not rest:
            raise UsageError(f"{first} is a table; name its column, too.", f"It has: {', '.join(columns)}.")
        return value, rest[0]
    near = did_you_mean(first, tables_in(call.variables)) if value is None and len(rest) == 1 else ""
    if near:
        raise UsageError(f"There is no variable {quoted(first)}.{near}", "A text of two words needs quotation marks.")
    if value is None:
        text = " ".join([first, *rest])
        return pd.Series([text], index=[text]), ""
    if rest:
        raise UsageError(f"{first} is a {type(value).__name__} and no table, so it has no column {quoted(rest[0])}.")
    if isinstance(value, pd.Series):
        return value, ""
    if not isinstance(value, str | Iterable):
        how = "Name a Series, a list of texts, a text, or a table and its column."
        raise UsageError(f"{quoted(first)} is a {type(value).__name__}, which holds no texts.", how)
    return pd.Series([value] if isinstance(value, str) else list(value)), ""


def compare(call: Invocation) -> ComparisonFrame:
    """Both answers to each prompt."""
    from kubeai_notebook.session.comparison import Side
    from kubeai_notebook.session.comparison import compare as compared

    options = call.options
    if options.text and call.body is not None:
        raise UsageError("There is a prompt behind the names and one below the line.", "Write all below the line.")
    check_names(call)
    cell = marked_cell(call) if call.body is not None else None
    # A line has one prompt, whatever its variables hold.
    prompts = [options.text] if cell is None else [cell.fill(part) for part in _prompts(cell)]
    prompts = [prompt for prompt in prompts if prompt.strip()]
    if not prompts:
        line = f"%%kubeai_compare {shlex.join((options.name, options.other))}"
        how = f"Write one behind the names, or begin the cell with {line}."
        raise UsageError("%kubeai_compare has no prompt.", how)
    sides = (Side.of(call.session, options.name), Side.of(call.session, options.other))
    for side in sides:
        call.session.attach(side.name)  # which names the nearest
    options.name = ""
    try:
        return compared(sides, prompts, _request(call), shown=not options.quiet)
    except CallError as error:
        # What the hint advises is meant for the one that the sentence is about.
        subject = error.message.partition(" ")[0].strip('"')
        options.name = next((side.name for side in sides if side.name == subject), "")
        raise


def _request(call: Invocation) -> dict[str, Any]:
    """What the line says of the request itself."""
    options = vars(call.options)
    names = ("system", "max_tokens", "temperature", "seed")
    return {name: options[name] for name in names if options[name] is not None}


def _prompts(text: str) -> list[str]:
    """One a line; where lines of dashes stand between them, of several lines."""
    parts = re.split(r"^-{3,}[ \t]*$", text, flags=re.MULTILINE)
    parts = parts if len(parts) > 1 else text.splitlines()
    return [part.strip() for part in parts if part.strip()]


def _table(call: Invocation) -> Any:
    """What the line's TABLE means.

    Raises:
        UsageError: there is no such variable, expression or file.
    """
    name = call.options.table
    if (value := value_of(call, name)) is not None:
        return value
    if name.endswith(".parquet") or _is_file(name):
        return name
    near = did_you_mean(name, tables_in(call.variables))
    how = "A table is named by its variable, or by the path of a Parquet file."
    raise UsageError(f"There is no variable {quoted(name)}.{near}", how)


def _is_file(name: str) -> bool:
    """Whether there is such a file; a name can be longer than a file's may be."""
    try:
        return Path(name).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # (there is no such user)
        return False
