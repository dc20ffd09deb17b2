"""Magics that talk to a Model: chat."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import LONGEST, markdown, plain

from .invocation import Shown
from .parser import MagicParser, parser_for
from .templating import filled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeai_notebook.core.chat_messages import Delta, Reply

    from .invocation import Invocation


@cache
def chat_parser() -> MagicParser:
    """The options of ``%%kubeai_chat``."""
    parser = parser_for(
        "%%kubeai_chat",
        "Send the cell's text, or what stands behind the name, to a Model and stream its answer; {{name}} stands for\n"
        "a variable.",
        "%kubeai_chat smol --max-tokens 30 What is the capital of France?",
        "%%kubeai_chat smol --temperature 0 --max-tokens 30\n  What is the capital of France?",
        "%%kubeai_chat smol --max-tokens 50 -o answer\n  Name three cheeses.",
        '%%kubeai_chat smol --system "Be brief." --max-tokens 50\n  Explain {{topic}}.',
        synopsis="NAME [options] [TEXT]",
        takes_text=True,
    )
    add = parser.add_argument
    add("name", metavar="NAME", help="name of the Model")
    add("--system", metavar="TEXT", help="an instruction that stands before the conversation")
    add("--max-tokens", type=int, metavar="N", help="end the answer after so many tokens")
    add("--temperature", type=float, metavar="T", help="0: the likeliest answer each time")
    add("--raw", action="store_true", help="leave {{…}} in the cell as it is")
    return parser


def chat(call: Invocation) -> Shown:
    """Stream the Model's answer to the cell's text."""
    from kubeai_notebook.core.chat_messages import reply_of
    from kubeai_notebook.session.calling import awaken

    from .live_output import write

    options = call.options
    if options.text and call.body is not None:
        raise UsageError("There is a text behind the name and one below the line.", "Write both below the line.")
    call.body = options.text if call.body is None else call.body
    prompt = filled(call).strip()
    if not prompt:
        how = f"Write it behind the name, or begin the cell with %%kubeai_chat {options.name} and write it below."
        raise UsageError("%kubeai_chat has nothing to send.", how)
    turns = [{"role": "system", "content": options.system}] if options.system else []
    turns.append({"role": "user", "content": prompt})
    asked = {"max_tokens": options.max_tokens, "temperature": options.temperature}
    chosen = {name: value for name, value in asked.items() if value is not None}
    name, limit_seconds = call.model.name, call.session.settings.wait_timeout_seconds
    view = awaken(call.session, name, limit_seconds, shown=not options.quiet)
    if view.answering and not options.quiet:
        write(f"{view.answering} answers, from before the update; %kubeai_why {name} says what its new Pods do.\n")
    with call.model.stream(turns, **chosen) as deltas:
        return Shown(reply_of(deltas) if options.quiet else _show(deltas))


def _show(deltas: Iterable[Delta]) -> Reply:
    """Show the answer as it comes, in one display that is updated; an interrupt keeps what has come."""
    from kubeai_notebook.core.chat_messages import reply_of

    from .live_output import Updated, can_update, write

    arrived: list[Delta] = []
    if not can_update():
        for delta in deltas:
            arrived.append(delta)
            write(delta.text)
        write("\n")
        return reply_of(arrived)

    def bundle() -> dict[str, str]:
        """What is shown, and saved in the notebook; the Reply itself keeps the Model's words."""
        reply = reply_of(arrived)
        return {"text/plain": plain(reply, LONGEST), "text/markdown": markdown(reply)}

    shown = Updated(bundle)
    try:
        for delta in deltas:
            arrived.append(delta)
            if shown.due:
                shown.update()
    finally:
        shown.update()
    return reply_of(arrived)
