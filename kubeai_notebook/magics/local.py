"""The magic that reaches the daemon of this machine: it needs no terminal, and no PATH."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.errors import LocalError, UsageError
from kubeai_notebook.session.local_program import ACTIONS

from .parser import MagicParser, Text, parser_for

if TYPE_CHECKING:
    from kubeai_notebook.session.session import Session

    from .invocation import Invocation


@cache
def local_parser() -> MagicParser:
    """The options of ``%kubeai_local``."""
    parser = parser_for(
        "%kubeai_local",
        "Start, stop or look at KubeAI on this machine. add has a file stand for a model url, and Models go on\n"
        "meanwhile; stop ends every engine. Behind a bare -- stands what kubeai-local itself takes:\n"
        "%kubeai_local start -- --help lists that.",
        "%kubeai_local status",
        "%kubeai_local add ollama://tiny:latest=tiny.gguf",
        "%kubeai_local start -- --cache /data/weights",
        synopsis="ACTION [WORD …]",
        takes_rest=True,
    )
    parser.add_argument("action", metavar="ACTION", help=f"one of {', '.join(ACTIONS)}")
    parser.add_argument("words", nargs="*", metavar="WORD", help="of add: URL=FILE; of logs: the name of a Model")
    return parser


def local(call: Invocation) -> Text:
    """What ``kubeai-local`` says."""
    from kubeai_notebook.present.wording import in_magics
    from kubeai_notebook.session.local_program import run_local

    options = call.options
    if options.action not in ACTIONS:
        begun = [action for action in ACTIONS if action.startswith(options.action)]
        near = did_you_mean(options.action, begun or ACTIONS).strip() or f"There are: {', '.join(ACTIONS)}."
        raise UsageError(f"%kubeai_local does not know {quoted(options.action)}.", near)
    try:
        text = run_local(options.action, *options.words, *options.rest).strip()
    except LocalError as error:
        raise LocalError(in_magics(error.message), error.hint) from None
    if options.action == "start" and not {"-h", "--help"} & {*options.rest}:
        text = f"KubeAI runs on this machine; its kubeconfig is {text}."
        _wait_seen(call.session)
    return Text(in_magics(text))


def _wait_seen(session: Session) -> None:
    """Have a Session that watched the daemon before see it again: the next cell shows what is there now."""
    from kubeai_notebook.session.waiting import LOST_SECONDS

    if session.connected and session.cluster.is_this_machine and (publisher := session.known("publisher")):
        publisher.wait_live(LOST_SECONDS)
