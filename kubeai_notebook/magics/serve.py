"""Magics that bring Models up: serve, apply."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import SpecError, UsageError

from . import spec_options as fields
from .catalog import without_url
from .guards import confirmed
from .parser import MagicParser, parser_for, seconds

if TYPE_CHECKING:
    from kubeai_notebook.core.spec import ModelSpec
    from kubeai_notebook.present.plan_report import PlanReport
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session

    from .invocation import Invocation


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
    _add_waiting(parser)
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
    _add_waiting(parser)
    return parser


def _add_waiting(parser: MagicParser) -> None:
    add = parser.add_argument
    add("-w", "--wait", action="store_true", help="wait until it is ready; an interrupt leaves it starting")
    add("--timeout", type=seconds, metavar="TIME", dest="timeout_seconds", help="how long --wait waits; default 900 s")
    add(
        "-y", "--yes", action="store_true",
        help="replace Pods that are ready even if somebody else served the Model",
    )  # fmt: skip


def serve(call: Invocation) -> Model | PlanReport:
    """Serve what the line and the cell say."""
    said = fields.fields_of_line(call.options)
    if call.body is not None:
        from .templating import filled

        said = fields.laid_over(said, filled(call))
    if call.options.project:
        from kubeai_notebook.session.platform import vault

        said["secrets"] = vault.granted(call.session.cluster, call.options.project, fields.secret_names(said))
    try:
        return _served(call, said)
    except SpecError as error:
        raise (error if said.get("url") else without_url(call, said.get("name"), error)) from None


def apply(call: Invocation) -> Model | PlanReport | list[Model | PlanReport]:
    """Serve what the cell's YAML says; a list where it says several."""
    from kubeai_notebook import settings
    from kubeai_notebook.core.spec import spec_of_yaml

    from .templating import filled

    if call.options.file and call.body is not None:
        raise UsageError("%%kubeai_apply takes a file or the cell's text, not both.", "Write %kubeai_apply FILE.")
    text = fields.content_of(call.options.file) if call.options.file else filled(call)
    documents = [part for part in re.split(r"^---\s*$", text, flags=re.MULTILINE) if _says_something(part)]
    if not documents:
        raise UsageError("%%kubeai_apply has nothing to apply.", "Write the YAML of a Model below its line, or a file.")
    profile = settings.current().default_profile
    # All are read before the first is sent.
    specs = [spec_of_yaml(text, default_profile=profile) for text in documents]
    done: list[Model | PlanReport] = []
    try:
        for spec in specs:
            done.append(_served(call, spec))  # noqa: PERF401 - what came before an error is kept
    finally:
        if 0 < len(done) < len(specs) and not call.options.dry_run:
            from .live_output import write

            write(f"Served before the error: {', '.join(spec.name for spec in specs[: len(done)])}.\n")
    return done if len(done) > 1 else done[0]


def _says_something(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _served(call: Invocation, what: ModelSpec | dict[str, Any]) -> Model | PlanReport:
    from kubeai_notebook.session import verbs

    options = call.options
    session = _session_of(call, what.get("namespace") if isinstance(what, dict) else what.namespace)
    unique = bool(getattr(options, "unique", False))
    if options.dry_run:
        return verbs.plan(session, what, unique=unique)
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
