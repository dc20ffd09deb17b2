"""Magics that talk to a Model: chat.

A cell asked and forgot: "My name is Bob", and the next cell did not know it. So each name has one conversation, kept in
the kernel. It begins anew with ``--new``, and with a Model that was deleted and served again.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.map_fields import REQUEST
from kubeai_notebook.core.naming import name_and_adapter
from kubeai_notebook.errors import CallError, UsageError
from kubeai_notebook.text import LONGEST, markdown, plain

from .invocation import Shown
from .parser import MagicParser, parser_for
from .templating import check_names, marked_cell
from .variables import schema_of

if TYPE_CHECKING:
    from kubeai_notebook.calls.stream import ChatStream
    from kubeai_notebook.core.chat_messages import Reply
    from kubeai_notebook.core.view import View
    from kubeai_notebook.session.conversation import Conversation

    from .invocation import Invocation

_FENCE = "```json\n"


@cache
def chat_parser() -> MagicParser:
    """The options of ``%%kubeai_chat``."""
    parser = parser_for(
        "%%kubeai_chat",
        "Send the cell's text, or what stands behind the name, to a Model and stream its answer; {{name}} stands for\n"
        "a variable. What was said before with the same name is remembered.",
        "%kubeai_chat smol --max-tokens 30 What is the capital of France?",
        "%%kubeai_chat smol --temperature 0 --max-tokens 30\n  What is the capital of France?",
        "%%kubeai_chat smol --max-tokens 50 -o answer\n  Name three cheeses.",
        '%%kubeai_chat smol --new --system "Be brief." --max-tokens 50\n  Explain {{topic}}.',
        "%kubeai_chat smol --schema good,bad --max-tokens 50 How is this wine? Sour.",
        synopsis="NAME[_ADAPTER] [options] [TEXT]",
        takes_text=True,
    )
    add = parser.add_argument
    add("name", metavar="NAME", help="name of the Model; behind an underscore, that of its adapter")
    add("--new", action="store_true", help="forget what was said before")
    add("--system", metavar="TEXT", help="an instruction that stands before the conversation")
    add("--schema", metavar="WHAT", help="labels (good,bad), a JSON schema, or the variable that holds one of these\n"
        "or a pydantic class: -o NAME has it as NAME.parsed")  # fmt: skip
    add("--max-tokens", type=int, metavar="N", help="end the answer after so many tokens")
    add("--temperature", type=float, metavar="T", help="0: the likeliest answer each time")
    add("--top-p", type=float, metavar="P", help="only the likeliest tokens that have this share")
    add("--seed", type=int, metavar="N", help="the same seed, the same answer where the engine can")
    add("--stop", action="append", metavar="TEXT", help="end the answer before this; may be repeated")
    add("--raw", action="store_true", help="leave {{…}} in the cell as it is")
    return parser


def chat(call: Invocation) -> Shown:
    """Stream the Model's answer to the cell's text, as the next turn of the conversation of this name."""
    from .live_output import write

    options = call.options
    full_name = options.name
    options.name, adapter = name_and_adapter(full_name)
    prompt = _prompt(call, full_name)
    key, talk = _conversation(call, full_name)
    if not prompt:
        _conversations()[key] = talk
        write("" if options.quiet else f"{full_name} begins a new conversation.\n")
        return Shown(None)
    asked: Any = {name: getattr(options, name) for name in REQUEST}
    asked |= {"adapter": adapter or None, "schema": schema_of(call)}
    try:
        with talk.begin(prompt, asked, shown=not options.quiet) as deltas:
            _conversations()[key] = talk  # a line with a mistake leaves the one before
            if not options.quiet:
                _say_who_answers(call.model.view)
                _show(deltas, call.model.name, is_json=bool(options.schema), bounded=options.max_tokens is not None)
            else:
                deltas.whole()
    except CallError as error:
        if error.code == "ContextExceeded" and talk.messages:
            error.hint = f"%kubeai_chat {full_name} --new forgets the {len(talk)} turns before. {error.hint}"
        raise
    reply = deltas.reply
    if reply.note and not options.quiet:
        write(f"{reply.note.replace('max_tokens', '--max-tokens')}\n")
    return Shown(reply)


def _say_who_answers(view: View) -> None:
    from .live_output import write

    if view.answering:
        write(f"{view.answering} answers, from before the update; %kubeai_why {view.name} says what its new Pods do.\n")


def _prompt(call: Invocation, full_name: str) -> str:
    """What is to be sent; ``""`` where only the conversation begins anew."""
    options = call.options
    if options.text and call.body is not None:
        raise UsageError("There is a text behind the name and one below the line.", "Write both below the line.")
    check_names(call)
    prompt = (options.text or "" if call.body is None else marked_cell(call).fill()).strip()
    if not prompt and not options.new:
        begun = f"%%kubeai_chat {shlex.quote(full_name)}"
        how = f"Write it behind the name, or begin the cell with {begun} and write it below."
        raise UsageError("%kubeai_chat has nothing to send.", how)
    return prompt


@cache
def _conversations() -> dict[tuple[Any, ...], Conversation]:
    """Those of this kernel: one for each Model, by its uid, and the adapter that was named with it."""
    return {}


def _conversation(call: Invocation, full_name: str) -> tuple[tuple[Any, ...], Conversation]:
    """The one of this name, or a new one, and its key."""
    model, options = call.model, call.options
    key = (model.session.place, model.view.uid, full_name)
    talk = _conversations().get(key)
    if options.new or talk is None:
        talk = model.conversation()
    talk.session = model.session  # the one that is open now
    if options.system:
        talk.system = options.system
    return key, talk


def _show(deltas: ChatStream, name: str, *, is_json: bool, bounded: bool) -> None:
    """Show the answer as it comes; an interrupt keeps what has come."""
    from IPython.display import display

    from kubeai_notebook.views.answer import AnswerOutput

    from .live_output import can_update, write

    if not can_update():
        for delta in deltas:
            write(delta.text)
        write("\n")
        return
    answer: AnswerOutput | None = None
    opening = _FENCE if is_json else ""
    try:
        for burst in deltas.bursts():
            texts, reasons = [delta.text for delta in burst if delta.text], any(delta.reasoning for delta in burst)
            if answer is None and (texts or reasons):
                answer = AnswerOutput(f"{name} is answering …", bounded=bounded)
                answer.add("*Thinking …*\n\n" if reasons else "")
            if answer is not None and texts:
                answer.add(f"{opening}{texts[0]}", *texts[1:])
                opening = ""
    finally:
        bundle = _bundle(deltas.reply, is_json=is_json)
        if answer is not None:
            answer.end(bundle)
        elif deltas.reply:
            display(bundle, raw=True)


def _bundle(reply: Reply, *, is_json: bool) -> dict[str, str]:
    """What is shown, and saved in the notebook; the Reply itself keeps the Model's words."""
    words = str(reply)
    if is_json:
        words = _label_of(reply) or f"{_FENCE}{reply}\n```"
    return {"text/plain": plain(reply, LONGEST), "text/markdown": markdown(words)}


def _label_of(reply: Reply) -> str:
    """The label that was chosen; ``""`` where something else was asked for, or the answer is no label."""
    with suppress(CallError):
        return reply.parsed if isinstance(reply.parsed, str) else ""
    return ""
