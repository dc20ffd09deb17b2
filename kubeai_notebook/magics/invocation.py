"""One call of a magic: its options read, its Session and Model found, its result put where it was asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.marked_text import MarkedText
from kubeai_notebook.core.masking import masked
from kubeai_notebook.errors import KubeAIError, NotFoundError, UsageError, WaitInterruptedError

from .expressions import own_variables
from .parser import Help, raw_words
from .registry import function_of, parser_of
from .shown_lines import note_shown, without_comment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

    from IPython.core.interactiveshell import InteractiveShell

    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session

    from .registry import Verb

_ARGUMENT = re.compile(r"(?P<name>\w+)=")
_ARGUMENTS = re.compile(r"^\w+=(?:(?:, | and )\w+=)*(?= )")
"""The arguments of Python that a sentence begins with: ``data= and column= are …``."""


@dataclass(frozen=True)
class Shown:
    """A result that has been shown already: it is kept where it is asked for, and not shown again."""

    value: Any


@dataclass
class Invocation:
    """What a verb's function gets."""

    shell: InteractiveShell
    verb: Verb
    options: argparse.Namespace
    line: str = ""
    body: str | None = None

    @cached_property
    def variables(self) -> dict[str, Any]:
        """The user's own."""
        return own_variables(self.shell)

    @cached_property
    def session(self) -> Session:
        """The Session of the namespace that the line names, or of the settings'."""
        from kubeai_notebook.session.session import default

        return default(self.options.namespace or "")

    @cached_property
    def model(self) -> Model:
        """The Model that the line names; without a name, the only one there is."""
        name = self.options.name or self._only()
        try:
            return self.session.attach(name)
        except NotFoundError as error:
            raise NotFoundError(error.message, self._lines_meant or error.hint) from None

    @property
    def _lines_meant(self) -> str:
        """What to say where ``-n`` has a number: of ``tail`` that is how many lines."""
        namespace = self.options.namespace or ""
        if not namespace.isdecimal() or "tail" not in vars(self.options):
            return ""
        return f"-n names the namespace. Did you mean --tail {namespace}?"

    def again(self, option: str = "", *, without: Collection[str] = ()) -> str:
        """The line that was typed, with this option, and without these words where they are no option's value.

        Its variables stand there by their names: a value could be read as options. A line that holds a secret is not
        written out.
        """
        line = MarkedText.of(self.line)
        magic = self.verb.magic if self.body is None else f"%{self.verb.magic}"
        if masked(line.typed()) != line.typed():
            return f"{magic} … {option}".rstrip()
        words = list(raw_words(without_comment(line.rstrip()).removesuffix(";")))
        end = next((place for place, (word, _) in enumerate(words) if word == "--"), len(words))
        kept, known, is_value = [magic], parser_of(self.verb).options, False
        for word, typed in words[:end]:
            if is_value or word not in without:
                kept.append(typed)
            is_value = not is_value and word in known and known[word].nargs != 0
        kept += [option] if option else []
        return line.typed(" ".join([*kept, *(typed for _, typed in words[end:])]))

    @property
    def model_name(self) -> str:
        """The name of the Model that the call is about, as far as it is known by now."""
        return self.model.name if "model" in vars(self) else getattr(self.options, "name", None) or ""

    def _only(self) -> str:
        names = self.session.publisher.names()
        if len(names) == 1:
            return names[0]
        if not names:
            self.session.cluster.check_namespace()
            raise NotFoundError(
                f"There are no Models {self.session.where.phrase}.", "%kubeai_serve --help shows how one is served."
            )
        raise UsageError(f"{self.verb.magic} needs the name of a Model.", f"There are: {', '.join(names)}.")


def run(shell: InteractiveShell, verb: Verb, *, line: str, body: str | None) -> Any:
    """Read the line, run the verb, keep its result where ``-o`` says; what is shown already, `ShownLines` gives."""
    note_shown(None)
    options = parser_of(verb).read(line)
    if isinstance(options, Help):
        return options
    if options.out and not options.out.isidentifier():
        raise UsageError(
            f'"{options.out}" cannot be the name of a variable.', f"Write it like {verb.magic} … -o found."
        )
    call = Invocation(shell, verb, options, line, body)
    try:
        result = function_of(verb)(call)
    except (KubeAIError, WaitInterruptedError) as error:
        from kubeai_notebook.present.field_words import in_line
        from kubeai_notebook.present.wording import in_magics

        # What is below the magics names Python verbs; whoever wrote a magic reads magics. The fields of a cell's YAML
        # are called as they stand there.
        magics = partial(in_magics, model_name=call.model_name, namespace=options.namespace or "")
        error.reword(magics if body and body.strip() else lambda text: magics(in_line(text)))
        _name_the_options(error, verb)
        raise
    finally:
        _learn(call)
    value = result.value if isinstance(result, Shown) else result
    if options.out:
        shell.user_ns[options.out] = value
    if isinstance(result, Shown):
        note_shown(value)
        return None
    return value


def _name_the_options(error: KubeAIError | WaitInterruptedError, verb: Verb) -> None:
    """Begin a sentence with the options that were typed, where it begins with the arguments that these stand for."""
    options = parser_of(verb).options

    def option(argument: re.Match[str]) -> str:
        typed = f"--{argument['name'].replace('_', '-')}"
        return typed if typed in options else argument[0]

    error.message, error.hint = (
        _ARGUMENTS.sub(lambda found: _ARGUMENT.sub(option, found[0]), text) for text in (error.message, error.hint)
    )
    error.args = (error.message, error.hint)


def _learn(call: Invocation) -> None:
    """Have names at hand for the next Tab, without waiting for them."""
    if "session" in vars(call):
        from .completion import learn

        learn(call.session)
