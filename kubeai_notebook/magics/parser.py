"""Reading a magic's line: options, help, and mistakes as sentences.

argparse reads the line, and its messages are never shown or matched: they change with Python. What went wrong is
known without them. Unknown words are given back by ``parse_known_args``; numbers are read by functions of ours, whose
ArgumentTypeError is the context of argparse's ArgumentError; and an error without an argument's name can only be an
argument that is missing, since abbreviations, subcommands and exclusive groups are not used here.
"""

from __future__ import annotations

import argparse
import io
import re
import shlex
import textwrap
from typing import TYPE_CHECKING, Any, NoReturn

from kubeai_notebook.core.marked_text import MarkedText
from kubeai_notebook.core.masking import masked, quoted
from kubeai_notebook.core.messages import nearest
from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import ShownAsText

from .shown_lines import without_comment

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 80
_NEAR = 0.7
_NEGATIVE = re.compile(r"-\d+(\.\d+)?")
_COMMON_TITLE = "common options"
_COMMON = ("namespace", "out", "quiet", "help")


class Text(ShownAsText, str):
    """A text that shows itself, not its quotation marks."""

    __slots__ = ()

    def _text(self) -> str:
        return str(self)


class Help(Text):
    """A magic's help, asked for with ``--help``."""

    __slots__ = ()


class MagicParser(argparse.ArgumentParser):
    """Reads a magic's line; a mistake is a UsageError that names the nearest option.

    ``takes_rest``: what stands behind a bare ``--`` is kept, word for word, as ``rest``. ``takes_text``: what stands
    behind the names is kept as it is written, as ``text``.
    """

    def __init__(
        self,
        magic: str,
        description: str,
        examples: tuple[str, ...],
        *,
        synopsis: str = "",
        takes_rest: bool = False,
        takes_text: bool = False,
    ) -> None:
        shown = "\n".join(f"  {example}" for example in examples)
        description = textwrap.fill(description, WIDTH)
        super().__init__(
            prog=magic,
            usage=f"{magic} {synopsis}".replace("%", "%%") if synopsis else None,
            description=f"{description}\n\nExamples:\n{shown}" if shown else description,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=30, width=WIDTH),
            add_help=False,
            allow_abbrev=False,
            exit_on_error=False,
        )
        self.register("type", int, _whole_number)
        self.register("type", float, _number)
        # Python 3.14 would colour the text, which is also shown where no colours are.
        self.color = False
        self._takes_rest, self._takes_text = takes_rest, takes_text

    def add_common(self) -> MagicParser:
        """Add the options that every magic has."""
        add = self.add_argument_group(_COMMON_TITLE).add_argument
        add("-n", "--namespace", metavar="NAMESPACE", help="the namespace of the Models")
        add("-o", "--out", metavar="VARIABLE", help="put the result into this variable")
        add("-q", "--quiet", action="store_true", help="show nothing, as a ; at the end of the line does")
        add("--help", action="store_true", help="show this text")
        return self

    def add_name(self) -> None:
        """Add the Model's name, which may be left out."""
        what = "name of the Model; without it, the only one there is"
        self.add_argument("name", nargs="?", metavar="NAME", help=what)

    def add_yes(self, what: str = "also if somebody else served it") -> None:
        """Add what changes somebody else's Model all the same."""
        self.add_argument("-y", "--yes", action="store_true", help=what)

    def add_waiting(self, what: str = "wait until it is ready; an interrupt leaves it starting") -> None:
        """Add the wait that may follow a verb."""
        self.add_argument("-w", "--wait", action="store_true", help=what)
        limit = "how long --wait waits; default 900 s"
        self.add_argument("--timeout", type=seconds, metavar="TIME", dest="timeout_seconds", help=limit)

    def format_help(self) -> str:
        """The help, with what every magic has at its end."""
        self._action_groups.sort(key=lambda group: group.title == _COMMON_TITLE)
        return super().format_help()

    @property
    def options(self) -> dict[str, argparse.Action]:
        """Every option by its spellings, for completion: those that every magic has stand last."""
        own = {word: action for word, action in self._option_string_actions.items() if action.dest not in _COMMON}
        return own | self._option_string_actions

    def read(self, line: str) -> argparse.Namespace | Help:
        """Split and parse a line; a MarkedText gets its values into each of its words, and they make no new ones.

        Which texts came out of variables stands in ``filled``: what they hold is no name and no expression.

        Raises:
            UsageError: quotes do not close, an option is unknown or behind the text, a value is missing, or a variable
                holds an option.
        """
        marked = MarkedText.of(line)
        line, text = line.rstrip(), ""
        if not self._takes_text:
            line = without_comment(line)
        quiet = line.endswith(";")
        try:
            if self._takes_text:
                line, text = self._before_text(line)
            words = shlex.split(line.removesuffix(";"))
        except ValueError:
            raise UsageError("A quotation mark in this line is not closed.") from None
        rest: list[str] = []
        if self._takes_rest and "--" in words:
            place = words.index("--")
            words, rest = words[:place], words[place + 1 :]
        if "--help" in words:
            return Help(self.format_help())
        from_variables = frozenset(marked.fill(word) for word in words if marked.has_mark(word))
        words, rest = [self._filled(word, marked) for word in words], [marked.fill(word) for word in rest]
        for word in words:
            # argparse would read -name as -n ame.
            if re.fullmatch(r"-[a-z][a-z-]+", word) and f"-{word}" in self._option_string_actions:
                raise UsageError(f"{self.prog} does not know {word}.", f"Did you mean -{word}?")
        options = argparse.Namespace(rest=rest, text=marked.fill(text), quiet=quiet)
        options.filled = from_variables | {word.partition("=")[2] for word in from_variables}
        try:
            _, unknown = self.parse_known_args(words, options)
        except argparse.ArgumentError as error:
            raise self._refusal(error, options) from None
        if unknown:
            raise self._unknown(unknown[0])
        return options

    def _filled(self, word: str, marked: MarkedText) -> str:
        """The word with its values; one that was no option does not become one: its value may be a model's words."""
        filled = marked.fill(word)
        if filled.startswith("-") and not word.startswith("-") and not _NEGATIVE.fullmatch(filled):
            how = "Write the option itself into the line; as an option's value it stands behind a =."
            raise UsageError(f"{self.prog}: a variable holds {quoted(filled)}, which would be an option.", how)
        return filled

    def _before_text(self, line: str) -> tuple[str, str]:
        """The options and the names at the beginning of a line, and the text behind them: a text has apostrophes."""
        stream, words = _word_reader(line)
        has_value, place = False, 0
        names = sum(not action.option_strings for action in self._actions)
        while rest := line[place:].lstrip():
            if not names and not has_value and not rest.startswith("-"):
                text = rest.removesuffix(";").rstrip()
                if text[:1] in ("'", '"') and text[0] == text[-1] and text.count(text[0]) == 2:
                    return line[:place], text[1:-1]
                self._check_text(text)
                return line[:place], text
            word = words.get_token() or ""
            place = stream.tell()
            action = self._option_string_actions.get(word)
            names -= not (has_value or word.startswith("-"))
            has_value = not has_value and action is not None and action.nargs != 0
        return line, ""

    def _check_text(self, text: str) -> None:
        """Refuse an option behind the text, which would be sent as a part of it."""
        for word in text.split():
            option = word.partition("=")[0]
            if option in self._option_string_actions:
                how = "Options come before it; in a cell, or in quotation marks, the text may hold anything."
                raise UsageError(f"{option} stands behind the text.", how)

    def error(self, message: str) -> NoReturn:
        """Raise what Python 3.11 and 3.12 would end the process for, as 3.13 does: an argument that is missing."""
        raise argparse.ArgumentError(None, message)

    def _refusal(self, error: argparse.ArgumentError, options: argparse.Namespace) -> UsageError:
        how = f"{self.prog} --help shows how it is written."
        if error.argument_name is None:
            needed = (action for action in self._actions if action.required and action.nargs != "*")
            missing = [str(action.metavar) for action in needed if getattr(options, action.dest, None) is None]
            are = "are" if len(missing) > 1 else "is"
            return UsageError(f"{self.prog}: {' and '.join(missing)} {are} missing.", how)
        # argparse joins the spellings of an option by a slash.
        spellings = error.argument_name.split("/")
        action = self._option_string_actions.get(spellings[0])
        option = next((word for word in spellings if word.startswith("--")), spellings[0])
        if isinstance(error.__context__, argparse.ArgumentTypeError):
            return UsageError(f"{self.prog}: {option} {error.message}.", how)
        if action is not None and action.nargs == 0:
            return UsageError(f"{self.prog}: {option} takes no value.", how)
        return UsageError(
            f"{self.prog}: {option} needs a value.", f'If the value starts with "-", write {option}=VALUE. {how}'
        )

    def _unknown(self, given: str) -> UsageError:
        word = given.partition("=")[0]
        if not word.startswith("-"):
            return UsageError(
                f"{self.prog}: unexpected argument {quoted(word)}.", f"{self.prog} --help shows how it is written."
            )
        known = [option for option in self._option_string_actions if option.startswith("--")]
        begun = sorted((option for option in known if option.startswith(word)), key=len)
        near = begun[0] if begun else nearest(word, known, share=_NEAR)
        meant = f"Did you mean {near}?" if near else f"{self.prog} --help lists its options."
        if self._takes_rest and not begun:
            meant += f" An argument of the engine stands behind a bare --: … -- {shlex.quote(masked(given))}"
        return UsageError(f"{self.prog} does not know {word}.", meant)


def raw_words(line: str) -> Iterator[tuple[str, str]]:
    """Each word of a line as it is read, and as it was typed, with its quotation marks."""
    stream, words = _word_reader(line)
    place = 0
    while (word := words.get_token()) is not None:
        yield word, line[place : stream.tell()].strip()
        place = stream.tell()


def _word_reader(line: str) -> tuple[io.StringIO, shlex.shlex]:
    """What splits a line as `shlex.split` does, and the stream that says how far it has come."""
    stream = io.StringIO(line)
    words = shlex.shlex(stream, posix=True)
    words.whitespace_split, words.commenters = True, ""
    return stream, words


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"needs a whole number, not {quoted(text)}") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"needs a number, not {quoted(text)}") from None


_AMOUNT = r"(\d+(?:\.\d+)?)"
_TIME = re.compile(rf"(?:{_AMOUNT}h)?(?:{_AMOUNT}m(?:in)?)?(?:{_AMOUNT}s?)?", re.I)


def seconds(text: str) -> float:
    """A length of time as people write it: ``90``, ``90s``, ``5m``, ``1h30m``."""
    match = _TIME.fullmatch(text)
    if not match or not any(match.groups()):
        raise argparse.ArgumentTypeError(f"needs a time such as 90, 5m or 1h, not {quoted(text)}")
    hours, minutes, rest = (float(amount) for amount in match.groups("0"))
    return hours * 3600 + minutes * 60 + rest


def parser_for(magic: str, description: str, *examples: str, **options: Any) -> MagicParser:
    """A parser with the options that every magic has."""
    options.setdefault("synopsis", "[options]")
    return MagicParser(magic, description, examples, **options).add_common()
