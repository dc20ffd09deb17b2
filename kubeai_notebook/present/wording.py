"""How a notebook says what its reader can do: remedies with their numbers, and magics in place of Python.

Values and errors name Python verbs, since every face is served by them: ``attach("smol").why()``. A notebook's reader
knows magics; a sidebar has buttons. So the translation belongs to the face, and this is the notebook's.
"""

from __future__ import annotations

import re
import shlex
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from kubeai_notebook.errors import LOCAL_GONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.remedy import Command, Remedy

_OF_A_MODEL = re.compile(
    r'\battach\("(?P<name>[^"\s]{1,253})"\)\.(?P<verb>why|logs|status|yaml|delete|rollback)\b(?:\(\))?'
)
_OF_THE_MODEL = re.compile(r"(?<![\w.])(?P<verb>why|logs|delete|restart|rollback)\(\)")
_SCALED = re.compile(r"(?<![\w.])(?:(?P<verb>pause|resume)\(\)|scale\((?P<replicas>[0-9]{1,4}|n)\))")
_ASKED = re.compile(r"(?<![\w.])(?P<verb>chat|embed|map)\(\)")
_FIX = re.compile(r'\battach\("(?P<name>[^"\s]{1,253})"\)\.fix\((?P<number>[0-9]{1,4})\)')
_OF_ALL = re.compile(r"\b(?P<verb>models|catalog)\(\)")
_PROFILE = re.compile(r'\bresource_profile="(?P<name>[^"\s]{1,253})"')
_SECRETS = re.compile(r'\bsecrets=\{(?P<pairs>"[^{}]{1,2000})\}')
_SECRET = re.compile(r'"(?P<variable>\w{1,200})": SecretStr\("…"\)')
_ARGS = re.compile(r'\bargs=\[(?P<args>"-[\w=./…-]{1,200}"(?:, "[\w=./…-]{1,200}"){0,20})\]')
_LOCAL = re.compile(
    r"(?P<before>: |(?<![\w/%]))kubeai-local (?P<action>start|stop|status|add|logs|token)\b"
    # Of a magic's own options those behind a bare -- are the program's.
    r"(?P<options> (?=--))?"
)
_ASKS = {"chat": "%kubeai_chat", "embed": "%kubeai_embed", "map": "%%kubeai_map"}
_HERE = 'kubeai_notebook.Session(context="local")'
_SAYS = {
    LOCAL_GONE[1]: "%kubeai_local start starts it.",
    "Session().doctor()": "%kubeai_doctor",
    _HERE: "%kubeai_config context=local",
    "missing_ok=True": "--missing-ok",
    "yes=True": "--yes",
}


class Numbered(NamedTuple):
    """A Remedy with the number that its reader sees: 1 is the first of the first Finding."""

    number: int
    remedy: Remedy


def numbered(findings: Iterable[Finding]) -> Iterator[tuple[Finding, tuple[Numbered, ...]]]:
    """Each Finding with its Remedies, numbered through all of them: the one place that counts."""
    numbers = count(1)
    for finding in findings:
        yield finding, tuple(Numbered(next(numbers), remedy) for remedy in finding.remedies)


def how_to(model_name: str, one: Numbered, namespace: str = "") -> str:
    """The line that applies a Remedy; ``""`` for advice. ``namespace``: where a magic would look elsewhere."""
    if one.remedy.kind == "change":
        return f"%kubeai_why {model_name} --fix {one.number}{_in(namespace)}"
    command = one.remedy.command
    if command is None:
        return ""
    return line_of(command) + (_in(namespace) if command.verb and model_name in command.arguments else "")


def _in(namespace: str) -> str:
    return f" -n {shlex.quote(namespace)}" if namespace else ""


def step_in_python(model_name: str, one: Numbered) -> str:
    """A Remedy in a line, with the Python or the command that does it."""
    command = one.remedy.command
    how = (
        f'attach("{model_name}").fix({one.number})' if one.remedy.kind == "change" else command.line if command else ""
    )
    return f"{one.number}. {one.remedy.title}" + (f" ({how})" if how else "")


def line_of(command: Command) -> str:
    """A Command as a cell takes it: a magic, or a program behind an exclamation mark.

    A word may be a cluster's: it is kept in its line, and IPython, which evaluates single braces behind an exclamation
    mark, finds double ones.

    >>> from kubeai_notebook.core.remedy import Command
    >>> line_of(Command(arguments=("kubectl", "get", "pods", "-o", "jsonpath={.items}")))
    "!kubectl get pods -o 'jsonpath={{.items}}'"
    """
    if command.arguments[:1] == ("kubeai-local",) and not command.into:
        line = f"%kubeai_{shlex.join(('local', *command.arguments[1:]))}"
    elif command.verb:
        line = f"%kubeai_{shlex.join((command.verb, *command.arguments))}"
    else:
        line = f"!{command.line}".replace("{", "{{").replace("}", "}}")
    return " ".join(line.splitlines())


def in_magics(text: str, model_name: str = "", namespace: str = "") -> str:
    """The sentence with magics in place of the Python that it names.

    A method without its object, such as ``restart()``, is the Model's that the reader has just named; where no name
    is known, it stays. ``namespace`` is named where a magic would look elsewhere.

    >>> in_magics('attach("smol").why() says why; models() lists what is there.')
    '%kubeai_why smol says why; %kubeai_models lists what is there.'
    >>> in_magics("restart() does that.", "smol")
    '%kubeai_restart smol does that.'
    >>> in_magics('Give a token: secrets={"A": SecretStr("…"), "B": SecretStr("…")}.')
    'Give a token: --secret A=ask --secret B=ask.'
    >>> in_magics('Serve it with args=["--ctx-size=8192"] added.')
    'Serve it with -- --ctx-size=8192 added.'
    """
    there = _in(namespace)
    for python, magic in _SAYS.items():
        text = text.replace(python, magic)
    text = _OF_A_MODEL.sub(lambda found: f"%kubeai_{found['verb']} {found['name']}{there}", text)
    text = _FIX.sub(lambda found: f"%kubeai_why {found['name']} --fix {found['number']}{there}", text)
    if model_name:
        text = _OF_THE_MODEL.sub(lambda found: f"%kubeai_{found['verb']} {model_name}{there}", text)
        scaled = f"%kubeai_scale {model_name} "
        text = _SCALED.sub(lambda found: f"{scaled}{found['replicas'] or '--' + found['verb']}{there}", text)
    text = _ASKED.sub(lambda found: f"{_ASKS[found['verb']]} {model_name or 'NAME'}{there}", text)
    text = _PROFILE.sub(r"--profile \g<name>", text)
    text = _SECRETS.sub(_secret_options, text)
    text = _ARGS.sub(_engine_arguments, text)
    text = _OF_ALL.sub(lambda found: f"%kubeai_{found['verb']}{there}", text)
    return _LOCAL.sub(_local_magic, text)


def in_sidebar(text: str) -> str:
    """The sentence `in_magics` has made, for a reader whose place a kernel's magic does not change.

    >>> in_sidebar("To work on this machine instead: %kubeai_config context=local.")
    'To work on this machine instead: switch to the context "local" at the top of the sidebar.'
    """
    return text.replace(_SAYS[_HERE], 'switch to the context "local" at the top of the sidebar')


def _secret_options(secrets: re.Match[str]) -> str:
    """Options by which a magic asks for the values: no notebook is to keep one."""
    return " ".join(f"--secret {variable}=ask" for variable in _SECRET.findall(secrets["pairs"])) or secrets[0]


def _engine_arguments(args: re.Match[str]) -> str:
    return " ".join(["--", *args["args"].strip('"').split('", "')])


def _local_magic(program: re.Match[str]) -> str:
    options = " -- " if program["options"] else ""
    return f"{program['before']}%kubeai_local {program['action']}{options}"
