"""The table of magics, and how IPython calls one: each has its module, imported when it is first used."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .shown_lines import call_of, is_quiet

if TYPE_CHECKING:
    from types import ModuleType

    from IPython.core.interactiveshell import InteractiveShell


class Verb(NamedTuple):
    """One magic: ``room`` has a function of its name, and one with ``_parser`` after it."""

    name: str
    kind: Literal["line", "line_cell"]
    room: str
    summary: str

    @property
    def magic(self) -> str:
        """As a user writes it."""
        return f"%kubeai_{self.name}"


VERBS = (
    Verb("serve", "line_cell", "serve", "Serve a model, on the configured cluster or on this machine."),
    Verb("form", "line_cell", "form", "Fill in a form, see the code it stands for, and deploy."),
    Verb("models", "line", "inspect", "List the Models as a DataFrame."),
    Verb("catalog", "line", "catalog", "List the models that can be served, with their sizes."),
    Verb("status", "line", "inspect", "Show what a Model is doing."),
    Verb("why", "line", "diagnose", "Say why a Model is not ready, and apply a fix."),
    Verb("logs", "line", "inspect", "Show the end of an engine's log."),
    Verb("chat", "line_cell", "chat", "Send a text to a Model and stream its answer."),
    Verb("playground", "line", "playground", "Try a Model: chat, compare and vote, or look at its vectors."),
    Verb("map", "line_cell", "batch", "Ask a Model about every row of a DataFrame."),
    Verb("embed", "line", "batch", "Make vectors of a DataFrame's column, or of a text."),
    Verb("compare", "line_cell", "batch", "Ask two Models, or a Model and its adapter, the same."),
    Verb("code", "line", "code", "Show code that calls a Model, for Python, a shell or another program."),
    Verb("scale", "line", "lifecycle", "Change how many replicas a Model has."),
    Verb("restart", "line", "lifecycle", "Replace a Model's Pods, one by one."),
    Verb("rollback", "line", "lifecycle", "Go back to what was served before the last change."),
    Verb("delete", "line", "lifecycle", "Delete a Model and its Pods."),
    Verb("attach", "line", "inspect", "Give the handle on a Model that is there, whoever made it."),
    Verb("yaml", "line", "inspect", "Show a Model as kubectl apply takes it."),
    Verb("apply", "line_cell", "serve", "Create or update the Models that YAML describes."),
    Verb("doctor", "line", "diagnose", "Check the way from this notebook to KubeAI."),
    Verb("local", "line", "local", "Start, stop or look at KubeAI on this machine; give a model url a file."),
    Verb("config", "line", "config", "Show or change the settings, and where each comes from."),
)


class Magic:
    """A magic as IPython calls and explains it."""

    # IPython's own expansion would make "image" of the JSON {"image": 2}, so ours is taken.
    needs_local_scope = True
    _ipython_magic_no_var_expand = True

    def __init__(self, shell: InteractiveShell, verb: Verb) -> None:
        self._shell, self._verb = shell, verb
        self.__name__, self.__doc__ = f"kubeai_{verb.name}", verb.summary

    def __call__(self, line: str, cell: str | None = None, *, local_ns: Any = None) -> Any:
        """Run it; a mistake is one of our errors."""
        line = _marked(self._shell, line, local_ns)
        return _room("invocation").run(self._shell, self._verb, line=line, body=cell)

    def getdoc(self) -> str:
        """What ``?`` shows: the same as ``--help``."""
        return str(parser_of(self._verb).format_help())


class RootMagic:
    """``%kubeai``: lists the magics, and ``%kubeai VERB …`` is ``%kubeai_VERB …``."""

    needs_local_scope = True
    _ipython_magic_no_var_expand = True

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.__name__, self.__doc__ = "kubeai", "List what can be said: %kubeai VERB … is %kubeai_VERB …"

    def __call__(self, line: str, cell: str | None = None, *, local_ns: Any = None) -> Any:
        """List the magics, or run the one that the line names."""
        return _room("root_magic").run(self._shell, _marked(self._shell, line, local_ns), cell)

    def getdoc(self) -> str:
        """What ``?`` shows: the list."""
        return repr(_room("root_magic").Listing())


def register(shell: InteractiveShell) -> None:
    """Make all magics known to IPython."""
    add = shell.magics_manager.register_function
    add(RootMagic(shell), "line_cell", "kubeai")
    for verb in VERBS:
        add(Magic(shell, verb), verb.kind, f"kubeai_{verb.name}")


def parser_of(verb: Verb) -> Any:
    """The parser of a magic's line."""
    return getattr(_room(verb.room), f"{verb.name}_parser")()


def function_of(verb: Verb) -> Any:
    """What a magic does, once its line is read."""
    return getattr(_room(verb.room), verb.name)


def _marked(shell: InteractiveShell, line: str, local_ns: Any) -> str:
    """The line, as a MarkedText where values of variables go into it."""
    if not {"{", "$"} & set(line):
        return line
    variables = _room("expressions").own_variables(shell, local_ns)
    marked: str = _room("templating").expand_line(line, variables)
    return marked


def _room(name: str) -> ModuleType:
    return import_module(f"{__package__}.{name}")


_QUESTION = re.compile(
    r"(?P<before>\s*(?:\w+\s*=\s*)?)%kubeai(?:_|\s+)(?P<verb>chat|compare|embed)\s+(?P<text>\S+\s.*\?)\s*"
)
_QUOTES = re.compile(r"\"\"\"|'''")


def questions(lines: list[str]) -> list[str]:
    """Have a line that asks a Model something be a call already: IPython takes a ``?`` at its end for a call for help.

    A line inside a string of several lines stays: an odd number of triple quotes stands before it.
    """
    if not any("%kubeai" in line for line in lines):
        return lines
    called, open_quotes = [], 0
    for line in lines:
        match = None if open_quotes % 2 else _QUESTION.fullmatch(line)
        open_quotes += len(_QUOTES.findall(line))
        called.append(_CALL.format(match["before"], f"kubeai_{match['verb']}", match["text"]) if match else line)
    return called


_CALL = "{}get_ipython().run_line_magic({!r}, {!r})\n"


def semicolons(lines: list[str]) -> list[str]:
    """Put the semicolon at the end of a magic's line behind the call too, where IPython looks for it; likewise ``-q``.

    A magic that returned nothing instead would spoil ``m = %kubeai_serve … ;``.
    """
    return [_silenced(line) if "_magic('kubeai" in line else line for line in lines]


def _silenced(line: str) -> str:
    try:
        name, text = next(filter(None, map(call_of, ast.walk(ast.parse(line.strip())))))
    except (SyntaxError, StopIteration, ValueError):
        return line
    if not is_quiet(name, text):
        return line
    if name.endswith(";"):
        line = line.replace(f"{name!r}, ''", f"{name.rstrip(';')!r}, ';'", 1)
    return f"{line.rstrip()};\n"
