"""Magics that bring Models up: serve, apply."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import SpecError, UsageError

from . import spec_options as fields
from .catalog import without_url
from .guards import confirmed
from .parser import Help, MagicParser, parser_for

if TYPE_CHECKING:
    from kubeai_notebook.core.spec import ModelSpec
    from kubeai_notebook.present.plan_report import PlanReport
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session

    from .invocation import Invocation

_REPLACES = "replace Pods that are ready even if somebody else served the Model"


@cache
def serve_parser() -> MagicParser:
    """The options of ``%kubeai_serve``."""
    parser = parser_for(
        "%kubeai_serve",
        "Serve a model: on the configured cluster, or on this machine where there is none.\n"
        "What is left out is inferred from the url. Serving the same again changes nothing. With other options\n"
        "the Model is changed: what the last line said and this one leaves out goes; what %kubeai_scale, a fix or\n"
        "somebody else set stays. A name without a url attaches to the Model that is there.\n"
        "As %%kubeai_serve the cell's text is YAML, laid over the options.",
        "%kubeai_serve ollama://smollm2:135m",
        "%kubeai_serve smol ollama://smollm2:135m --engine OLlama --wait",
        "%kubeai_serve smol --replicas 2",
        "%kubeai_serve bge BAAI/bge-small-en-v1.5 --engine Infinity --dry-run",
        "m = %kubeai_serve qwen Qwen/Qwen3-0.6B --dry-run -- --max-model-len=2048",
        synopsis="[NAME] [URL] [options] [-- ARGUMENTS OF THE ENGINE]",
        takes_rest=True,
    )
    fields.add_to(parser)
    add = parser.add_argument
    add("--unique", action="store_true", help="append six random characters to the name: another Model each time")
    add("--dry-run", action="store_true", help="say what would happen, and what speaks against it; change nothing")
    add("--force", action="store_true", help="send it even where the checks say that it cannot serve here")
    parser.add_waiting()
    parser.add_yes(_REPLACES)
    return parser


@cache
def apply_parser() -> MagicParser:
    """The options of ``%%kubeai_apply``."""
    parser = parser_for(
        "%%kubeai_apply",
        "Create or update the Models that the cell's YAML, or a file, describes, as kubectl apply takes them or in\n"
        "our short form; several stand behind one another with --- between them.",
        "%%kubeai_apply --dry-run\n  url: ollama://smollm2:135m",
        "%%kubeai_apply --wait\n  name: smol\n  url: ollama://smollm2:135m\n  scaling: {min_replicas: 0}",
        "%%kubeai_apply\n  apiVersion: kubeai.org/v1\n  kind: Model\n  metadata: {name: smol}\n"
        "  spec: {url: 'ollama://smollm2:135m', engine: OLlama,\n"
        "         features: [TextGeneration], resourceProfile: 'cpu:1'}",
        synopsis="[FILE] [options]",
    )
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="YAML of this machine, in place of the cell's; {{…}} in it stays")
    add("--dry-run", action="store_true", help="say what would happen, and what speaks against it; change nothing")
    add("--force", action="store_true", help="send it even where the checks say that it cannot serve here")
    add("--raw", action="store_true", help="leave {{…}} in the cell as it is")
    parser.add_waiting()
    parser.add_yes(_REPLACES)
    return parser


def serve(call: Invocation) -> Model | PlanReport:
    """Serve what the line and the cell say."""
    given = fields.fields_of_line(call.options)
    if call.body is not None:
        from .templating import marked_cell

        given = fields.laid_over(given, marked_cell(call))
    if call.options.project:
        from kubeai_notebook.session.platform import vault

        given["secrets"] = vault.granted(call.session.cluster, call.options.project, fields.secret_names(given))
    if given.get("secrets"):
        from getpass import getpass

        given["secrets"] = fields.with_values(given["secrets"], getpass)
    try:
        return _served(call, given)
    except SpecError as error:
        raise (error if given.get("url") else without_url(call, given.get("name"), error)) from None


def apply(call: Invocation) -> Model | PlanReport | list[Model | PlanReport]:
    """Serve what the cell's YAML says; a list where it says several."""
    from kubeai_notebook import settings
    from kubeai_notebook.core.marked_text import MarkedText
    from kubeai_notebook.core.spec import specs_of_yaml
    from kubeai_notebook.session import planning

    from .templating import marked_cell

    if call.options.file and call.body is not None:
        raise UsageError("%%kubeai_apply takes a file or the cell's text, not both.", "Write %kubeai_apply FILE.")
    text = MarkedText(fields.content_of(call.options.file)) if call.options.file else marked_cell(call)
    # All are read before the first is sent.
    profile = settings.current().default_profile
    specs = planning.read_here(call.session, lambda schema: specs_of_yaml(text, default_profile=profile, schema=schema))
    if not specs:
        raise UsageError("%%kubeai_apply has nothing to apply.", "Write the YAML of a Model below its line, or a file.")
    done: list[Model | PlanReport] = []
    try:
        for spec in specs:
            done.append(_served(call, spec))  # noqa: PERF401 - what came before an error is kept
    finally:
        if 0 < len(done) < len(specs) and not call.options.dry_run:
            from .live_output import write

            write(f"Served before the error: {', '.join(spec.name for spec in specs[: len(done)])}.\n")
    return done if len(done) > 1 else done[0]


_LINE = re.compile(
    r"\s*(?:\w[\w.]*\s*=\s*)?(?P<percent>%%?)kubeai[ _](?P<verb>serve|apply)\b[ \t]*"
    r"(?P<line>(?:\\\n|[^\n])*)(?P<body>.*)",
    re.DOTALL,
)


def fields_of_text(text: str) -> dict[str, Any]:
    """The fields that a ``%kubeai_serve`` line or cell states, as they stand there: nothing is filled in or asked for.

    Raises:
        UsageError: it is another magic, or the line has a mistake.
        SpecError: the cell's YAML cannot be read.
    """
    match = _LINE.fullmatch(text)
    if match is None:
        raise UsageError("The text is no %kubeai_serve.", "Paste the line of one, or the cell with its YAML.")
    body = match["body"].strip("\n")
    if match["verb"] == "apply":
        from kubeai_notebook.core import pasted
        from kubeai_notebook.core.field_aliases import nested

        return nested(pasted.fields_of_text(body))
    if body.strip() and match["percent"] == "%":
        raise UsageError("The text has several lines.", "Paste the one that begins with %kubeai_serve.")
    options = serve_parser().read(match["line"].replace("\\\n", " "))
    if isinstance(options, Help):
        raise UsageError("The line only asks for help.", "Paste one that serves a model.")
    if options.files:
        # Whoever wrote the line is not always who pastes it, and what is pasted is shown.
        raise UsageError("The line takes a file of this machine.", "Paste it without --file, and choose the file.")
    given = fields.fields_of_line(options)
    if options.namespace:
        given["namespace"] = options.namespace
    if options.project:
        from kubeai_notebook.core.field_aliases import ASK

        # The project's own values, of which nothing but the names is known here.
        given["secrets"] = [name if "=" in name else f"{name}={ASK}" for name in given.get("secrets", [])]
    return fields.laid_over(given, body) if body.strip() else given


def _served(call: Invocation, what: ModelSpec | dict[str, Any]) -> Model | PlanReport:
    from kubeai_notebook.session import planning, verbs

    options = call.options
    session = _session_of(call, what.get("namespace") if isinstance(what, dict) else what.namespace)
    unique = bool(getattr(options, "unique", False))
    if options.dry_run:
        return planning.plan(session, what, unique=unique)
    with confirmed(call):
        done = verbs.serve(session, what, unique=unique, force=options.force, yes=options.yes)
    if unique and options.quiet:
        from .live_output import write

        write(f"{done.name}\n")  # nobody could know it otherwise
    return waited(call, session.handle(done))


def _session_of(call: Invocation, named: str | None) -> Session:
    """The line's, or that of the namespace which a Model of the cell names."""
    if not named or call.options.namespace or named == call.session.cluster.namespace:
        return call.session
    from kubeai_notebook.session.session import default

    return default(named)


def waited(call: Invocation, model: Model) -> Model:
    """The Model, once it is ready where ``--wait`` says so; meanwhile its card shows what it is doing."""
    options = call.options
    if not options.wait:
        return model
    if options.quiet:
        return model.wait(options.timeout_seconds)
    from kubeai_notebook.session import presenter as display

    try:
        display.face().show(model)
    except NotImplementedError:
        # A terminal shows no card that lives: a line for each phase, and in the end the result itself.
        _write_phases(model, options.timeout_seconds)
        return model
    return model.wait(options.timeout_seconds)


def _write_phases(model: Model, timeout_seconds: float | None) -> None:
    """Wait as `Model.wait` does, and meanwhile write a line for each phase that the Model comes to."""
    from .live_output import write

    written: set[str] = set()
    for view in model.waiting(timeout_seconds):
        if not view.status.settled and view.status.phase not in written:
            written.add(view.status.phase)
            write(f"… {model.name} {view.status.phase}: {view.status.detail}\n")
