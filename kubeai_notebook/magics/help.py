"""Reading a magic's line: options, help, and mistakes as sentences."""

from __future__ import annotations

import argparse
import builtins
import difflib
import re
import shlex
from dataclasses import dataclass
from typing import Any, NoReturn

from kubeai_notebook.errors import UsageError

Parser = argparse.ArgumentParser


@dataclass(frozen=True, slots=True)
class Help:
    """A magic's help, asked for with ``--help``."""

    text: str

    def __repr__(self) -> str:
        return self.text


class MagicParser(Parser):
    """Reads a magic's line; a mistake is a UsageError that names the nearest option."""

    def __init__(self, magic: str, description: str, examples: tuple[str, ...]) -> None:
        super().__init__(
            prog=magic,
            description=description,
            epilog="Examples:\n" + "\n".join(f"  {example}" for example in examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
            allow_abbrev=False,
        )
        self.add_argument("--help", action="store_true", help="show this text")

    def read(self, line: str) -> argparse.Namespace | Help:
        """Split and parse a line.

        Raises:
            UsageError: quotes do not close, an option is unknown, or a value is missing.
        """
        try:
            words = shlex.split(line)
        except ValueError:
            raise UsageError(f"A quotation mark in this line is not closed: {self.prog} {line}") from None
        if "--help" in words:
            return Help(self.format_help())
        return self.parse_args(words)

    def error(self, message: str) -> NoReturn:
        """Say what argparse found in our own words."""
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        if unknown is None:
            raise UsageError(f"{self.prog}: {message}.", f"{self.prog} --help shows how it is written.")
        word = unknown[1].partition("=")[0]
        known = [option for option in self._option_string_actions if option.startswith("--")]
        begun = sorted((option for option in known if option.startswith(word)), key=len, reverse=True)
        nearest = begun or difflib.get_close_matches(word, known, n=1, cutoff=0.5)
        meant = f"Did you mean {nearest[0]}?" if nearest else f"{self.prog} --help lists its options."
        raise UsageError(f"{self.prog} does not know {word}.", meant)


_EXPRESSION = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)


def expand(text: str, variables: dict[str, Any]) -> str:
    """Replace ``{{expression}}`` by its value; what has no value here stays as it is.

    Single braces are left alone: prompts are full of JSON. ``{{'{{'}}`` writes two braces.
    """

    def value(match: re.Match[str]) -> str:
        expression = match[1].strip()
        root = re.match(r"[A-Za-z_]\w*", expression)
        if root and root[0] not in variables and not hasattr(builtins, root[0]):
            return match[0]
        return str(eval(expression, variables))  # noqa: S307 - the user's own code, in the user's own kernel

    return _EXPRESSION.sub(value, text)
