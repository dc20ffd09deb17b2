"""Reading a magic's line: options, help, and mistakes as sentences."""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
from typing import Any, NoReturn

from kubeai_notebook.core.masking import masked, quoted
from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import Shown

WIDTH = 110
_NEAR = 0.7

Parser = argparse.ArgumentParser


class Text(Shown, str):
    """A text that shows itself, not its quotation marks."""

    __slots__ = ()

    def _text(self) -> str:
        return str(self)


class Help(Text):
    """A magic's help, asked for with ``--help``."""

    __slots__ = ()


class MagicParser(Parser):
    """Reads a magic's line; a mistake is a UsageError that names the nearest option.

    ``takes_rest``: what stands behind a bare ``--`` is kept, word for word, as ``rest``.
    """

    def __init__(
        self, magic: str, description: str, examples: tuple[str, ...], *, synopsis: str = "", takes_rest: bool = False
    ) -> None:
        shown = "\n".join(f"  {example}" for example in examples)
        super().__init__(
            prog=magic,
            usage=f"{magic} {synopsis}".replace("%", "%%") if synopsis else None,
            description=f"{description}\n\nExamples:\n{shown}" if shown else description,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=34, width=WIDTH),
            add_help=False,
            allow_abbrev=False,
        )
        # Python 3.14 would colour the text, which is also shown where no colours are.
        self.color = False
        self._takes_rest = takes_rest

    def add_common(self) -> MagicParser:
        """Add the options that every magic has."""
        add = self.add_argument_group("every magic of ours takes").add_argument
        add("-n", "--namespace", metavar="NAMESPACE", help="the namespace of the Models")
        add("-o", "--out", metavar="VARIABLE", help="put the result into this variable")
        add("-q", "--quiet", action="store_true", help="show nothing, as a ; at the end of the line does")
        add("--help", action="store_true", help="show this text")
        return self

    @property
    def options(self) -> dict[str, argparse.Action]:
        """Every option by its spellings, for completion."""
        return dict(self._option_string_actions)

    def read(self, line: str) -> argparse.Namespace | Help:
        """Split and parse a line.

        Raises:
            UsageError: quotes do not close, an option is unknown, or a value is missing.
        """
        try:
            words = shlex.split(line.rstrip().removesuffix(";"))
        except ValueError:
            raise UsageError("A quotation mark in this line is not closed.") from None
        rest: list[str] = []
        if self._takes_rest and "--" in words:
            place = words.index("--")
            words, rest = words[:place], words[place + 1 :]
        if "--help" in words:
            return Help(self.format_help())
        for word in words:
            # argparse would read -name as -n ame.
            if re.fullmatch(r"-[a-z][a-z-]+", word) and f"-{word}" in self._option_string_actions:
                raise UsageError(f"{self.prog} does not know {word}.", f"Did you mean -{word}?")
        return self.parse_args(words, argparse.Namespace(rest=rest))

    def error(self, message: str) -> NoReturn:
        """Say what argparse found in our own words."""
        how = f"{self.prog} --help shows how it is written."
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        if unknown is None:
            valueless = message.endswith("expected one argument")
            begins = f"A value that begins with - is written behind an equals sign. {how}"
            raise UsageError(f"{self.prog}: {masked(_worded(message))}.", begins if valueless else how)
        word = unknown[1].partition("=")[0]
        if not word.startswith("-"):
            raise UsageError(f"{self.prog} has no use for {quoted(word)}.", how)
        known = [option for option in self._option_string_actions if option.startswith("--")]
        begun = sorted((option for option in known if option.startswith(word)), key=len)
        nearest = begun or difflib.get_close_matches(word, known, n=1, cutoff=_NEAR)
        meant = f"Did you mean {nearest[0]}?" if nearest else f"{self.prog} --help lists its options."
        if self._takes_rest and not begun:
            meant += f" An argument of the engine stands behind a bare --: … -- {masked(unknown[1])}"
        raise UsageError(f"{self.prog} does not know {word}.", meant)


def _worded(message: str) -> str:
    """What argparse says of a value, as a sentence's end."""
    message = re.sub(r"^argument (\S+?)(/\S+)?: ", r"\1 ", message)
    message = re.sub(r"expected (one|\d+|at least one) argument", r"needs a value", message)
    message = re.sub(r"invalid (?:int|_count) value: '(.*)'", r'needs a whole number, not "\1"', message)
    message = re.sub(r"invalid float value: '(.*)'", r'needs a number, not "\1"', message)
    return re.sub(r"the following arguments are required: (.*)", r"\1 is missing", message)


def parser_for(magic: str, description: str, *examples: str, **options: Any) -> MagicParser:
    """A parser with the options that every magic has."""
    options.setdefault("synopsis", "[options]")
    return MagicParser(magic, description, examples, **options).add_common()
