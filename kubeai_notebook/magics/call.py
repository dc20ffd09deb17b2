"""Magics that talk to a Model: chat."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, cell_magic, magics_class

from kubeai_notebook.errors import UsageError

from .help import Help, MagicParser, expand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.turns import Delta

FRAME_SECONDS = 0.05  # at most 20 display updates a second: more are dropped by the Jupyter server


@cache
def _chat_parser() -> MagicParser:
    parser = MagicParser(
        "%%kubeai_chat",
        "Send the cell's text to a Model and stream its answer; {{name}} stands for a variable.",
        (
            "%%kubeai_chat smol\n  What is the capital of France?",
            "%%kubeai_chat smol --max-tokens 50 -o answer\n  Name three cheeses.",
            '%%kubeai_chat smol --system "Be brief."\n  Explain {{topic}}.',
        ),
    )
    add = parser.add_argument
    add("name", help="name of the Model")
    add("--system", help="an instruction that stands before the conversation")
    add("--max-tokens", type=int, help="end the answer after so many tokens")
    add("--temperature", type=float, help="0: the likeliest answer each time")
    add("-o", "--out", metavar="NAME", help="put the Reply into this variable")
    return parser


@magics_class
class CallMagics(Magics):
    """``%%kubeai_chat``."""

    @cell_magic
    def kubeai_chat(self, line: str, cell: str) -> Help | None:
        """Stream a Model's answer to the cell's text; ``--help`` shows the options."""
        options = _chat_parser().read(line)
        if isinstance(options, Help):
            return options
        variables = self.shell.user_ns  # type: ignore[union-attr]  # a registered magic has a shell
        prompt = expand(cell.strip(), variables)
        if not prompt:
            raise UsageError("%%kubeai_chat has nothing to send.", "Write the prompt below its line.")
        from kubeai_notebook.session.session import default

        turns = [{"role": "system", "content": options.system}] if options.system else []
        turns.append({"role": "user", "content": prompt})
        asked = {"max_tokens": options.max_tokens, "temperature": options.temperature}
        chosen = {name: value for name, value in asked.items() if value is not None}
        reply = _show(default().attach(options.name).stream(turns, **chosen))
        if options.out:
            variables[options.out] = reply
        return None


def _show(deltas: Iterator[Delta]) -> Any:
    """Show the answer as it comes, in one display that is updated; an interrupt keeps what has come."""
    from IPython.display import display

    from kubeai_notebook.core.turns import Reply, fold

    def bundle() -> dict[str, str]:
        return {"text/plain": str(reply), "text/markdown": str(reply)}

    reply = Reply()
    face = display(bundle(), raw=True, display_id=True)
    shown = time.monotonic()
    try:
        for delta in deltas:
            reply = fold(reply, delta)
            if time.monotonic() - shown >= FRAME_SECONDS:
                face.update(bundle(), raw=True)
                shown = time.monotonic()
    finally:
        face.update(bundle(), raw=True)
    return reply
