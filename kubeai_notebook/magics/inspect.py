"""Magics that only look: models, status, attach, yaml, logs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import WaitInterruptedError

from .invocation import Shown
from .parser import MagicParser, Text, parser_for

if TYPE_CHECKING:
    import pandas as pd

    from kubeai_notebook.core.view import View
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.views.models_table import LiveModels

    from .invocation import Invocation

TICK_SECONDS = 1.0


@cache
def models_parser() -> MagicParser:
    """The options of ``%kubeai_models``."""
    parser = parser_for(
        "%kubeai_models",
        "List the Models of the namespace as a DataFrame, whoever made them.",
        "%kubeai_models",
        "df = %kubeai_models",
        "%kubeai_models --live",
        "%kubeai_models -n team",
    )
    parser.add_argument("--live", action="store_true", help="a table that stays up to date, with buttons")
    return parser


@cache
def status_parser() -> MagicParser:
    """The options of ``%kubeai_status``."""
    parser = parser_for(
        "%kubeai_status",
        "Show what a Model is doing; in a notebook the card stays live.",
        "%kubeai_status smol",
        "%kubeai_status smol --follow",
        "m = %kubeai_status smol",
        synopsis="[NAME] [options]",
    )
    parser.add_name()
    parser.add_argument(
        "-f", "--follow", action="store_true",
        help="stay until nothing changes any more (ready, asleep or failed), with one display that is updated",
    )  # fmt: skip
    return parser


@cache
def attach_parser() -> MagicParser:
    """The options of ``%kubeai_attach``."""
    parser = parser_for(
        "%kubeai_attach",
        "Give the handle on a Model that is there, whoever made it: nothing of it lives in the kernel.",
        "m = %kubeai_attach smol",
        "%kubeai_attach smol -o m",
        "%kubeai_attach smol -n team",
        synopsis="[NAME] [options]",
    )
    parser.add_name()
    return parser


@cache
def yaml_parser() -> MagicParser:
    """The options of ``%kubeai_yaml``."""
    parser = parser_for(
        "%kubeai_yaml",
        "Show a Model as kubectl apply takes it; %%kubeai_apply takes it too.",
        "%kubeai_yaml smol",
        "text = %kubeai_yaml smol",
        "%kubeai_yaml smol -o text -q",
        synopsis="[NAME] [options]",
    )
    parser.add_name()
    return parser


@cache
def logs_parser() -> MagicParser:
    """The options of ``%kubeai_logs``."""
    parser = parser_for(
        "%kubeai_logs",
        "Show the end of an engine's log: of a Pod that is broken, else of the newest. Secrets are masked.",
        "%kubeai_logs smol",
        "%kubeai_logs smol --tail 50 --previous",
        "%kubeai_logs smol --follow",
        synopsis="[NAME] [options]",
    )
    add = parser.add_argument
    parser.add_name()
    add("--tail", type=int, metavar="LINES", help="how many lines; default 200, with --follow 20")
    add("--previous", action="store_true", help="of the run before the present one")
    add("--pod", default="", metavar="POD", help="of this Pod")
    add("--container", default="", metavar="CONTAINER", help="of this container; by default the one that loads")
    add("-f", "--follow", action="store_true", help="go on as it is written, until you interrupt")
    return parser


def models(call: Invocation) -> pd.DataFrame | LiveModels:
    """All Models; with ``--live`` as a table that stays up to date."""
    if call.options.live:
        from kubeai_notebook.views.models_table import live_models

        return live_models(call.session)
    return call.session.models()


def attach(call: Invocation) -> Model:
    """The handle."""
    return call.model


def yaml(call: Invocation) -> Text:
    """The Manifest."""
    return Text(call.model.yaml)


def status(call: Invocation) -> Model | Shown:
    """The Model, which shows itself; with ``--follow`` until it is settled."""
    if not call.options.follow:
        return call.model
    _follow(call.model)
    return Shown(call.model)


def _follow(model: Model) -> None:
    """Keep one display up to date until nothing goes on by itself any more."""
    from kubeai_notebook.session.waiting import is_stuck

    from .live_output import Updated, can_update

    # Where displays can be updated, the seconds go on; a terminal gets what is new.
    updates = can_update()
    try:
        with model.subscribe() as changes:
            view = next(changes).view
            shown, last = Updated(lambda: _face(model)), _face_of(view)
            while view is not None and (view.pending or not (view.status.settled or is_stuck(view))):
                change = changes.until(lambda _: True, TICK_SECONDS if updates else None)
                view = change.view if change else view
                if updates or _face_of(view) != last:
                    shown.update()
                last = _face_of(view)
    except KeyboardInterrupt:
        raise WaitInterruptedError(f"Stopped looking; {model.name} goes on.") from None


def _face(model: Model) -> dict[str, str]:
    """The Model's text and snapshot; as an output of its own, not the hidden companion of a card before it."""
    from kubeai_notebook.session import presenter as display

    return {
        kind: text.replace("kubeai-snapshot", "kubeai-followed") for kind, text in display.face().bundle(model).items()
    }


def _face_of(view: View | None) -> Any:
    """What a reader of the display would see change."""
    return view and (view.status.phase, view.status.detail, view.findings)


def logs(call: Invocation) -> Any:
    """The end of the log, or all that follows."""
    model, options = call.model, call.options
    place = {"pod": options.pod, "container": options.container}
    if not options.follow:
        return model.logs(tail_lines=_or(options.tail, 200), previous=options.previous, **place)
    from .live_output import write

    lines = model.follow_logs(tail_lines=_or(options.tail, 20), **place)
    try:
        for line in lines:
            write(line.rstrip("\n") + "\n")
    except KeyboardInterrupt:
        raise WaitInterruptedError(f"Stopped looking at the log; {model.name} goes on.") from None
    return None


def _or(stated: int | None, usual: int) -> int:
    return usual if stated is None else stated
