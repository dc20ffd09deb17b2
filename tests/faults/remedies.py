"""What a template of the rules is called in the tables of faults, and which templates can have made a Remedy."""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING

from kubeai_notebook.core.remedy import SetArgument, SetEnv, SetField
from tests.core.diagnosis.rules import rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeai_notebook.core.diagnosis.engine.remedies import Template
    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.remedy import Change, Command, Remedy

KINDS = {SetArgument: "argument", SetEnv: "env", SetField: "field"}


def all_remedies(*, commands: bool) -> set[tuple[str, str]]:
    """Code and label of every template that gives a command for a terminal, or else a change."""
    pairs = ((rule.code, template) for rule in rules() for template in rule.remedies)
    wanted = ((code, template) for code, template in pairs if (template.changes, is_program(template))[commands])
    return {(code, label_of(template)) for code, template in wanted}


def is_program(template: Template) -> bool:
    """Whether it gives a command for a terminal."""
    return template.command is not None and not template.command.verb


def label_of(template: Template) -> str:
    """The first thing that a template does, such as ``set argument --dtype=half`` or ``run kubectl get nodes``."""
    if not template.changes:
        return f"run {words_of(template.command)}" if template.command else template.titles[0]
    first = template.changes[0]
    kind = KINDS[type(first)]
    if first.value is None:
        return " ".join(["drop", kind, *(change.name for change in template.changes)])
    value = " ".join(first.value) if isinstance(first.value, list) else first.value
    return f"set {kind} {first.name}={value}"


def words_of(command: Command) -> str:
    """The words of a command and of those it is piped into, as the tables spell them."""
    return " | ".join(" ".join(argv) for argv in (command.arguments, *command.into))


_MEANWHILE = re.compile(r" (What was there before|\S+, from before the update,) answers meanwhile\.$")
"""What is added to the first Finding of an update that fails."""


def labels_of(finding: Finding, remedy: Remedy) -> set[str]:
    """The labels of the templates that can have made it: those of the Finding's own rule, filled in as it is."""
    message = _MEANWHILE.sub("", finding.message)
    own = [rule for rule in rules() if rule.code == finding.code and fits_one(rule.message, message)]
    return {label_of(template) for rule in own for template in rule.remedies if made_by(template, remedy)}


def made_by(template: Template, remedy: Remedy) -> bool:
    """Whether the Remedy is this template with values in it."""
    if template.command or remedy.command:
        both = template.command and remedy.command
        return bool(both) and fits(words_of(template.command), words_of(remedy.command))
    done = all(any(same(pattern, change) for pattern in template.changes) for change in remedy.changes)
    return bool(template.changes) == bool(remedy.changes) and done and fits_one(template.titles, remedy.title)


def same(pattern: Change, change: Change) -> bool:
    """Whether a change is this one of a template with values in it."""
    if type(pattern) is not type(change) or (pattern.value is None) != (change.value is None):
        return False
    values = fits(pattern.value, change.value) if isinstance(pattern.value, str) else pattern.value == change.value
    return values and fits(pattern.name, change.name)


def fits_one(templates: Iterable[str], text: str) -> bool:
    """Whether one of the templates gives this text."""
    return any(fits(template, text) for template in templates)


def fits(template: str, text: str) -> bool:
    """Whether the template gives this text, whatever its values are."""
    pattern = "".join(re.escape(words) + (".+" if name else "") for words, name, _, _ in Formatter().parse(template))
    return re.fullmatch(pattern, text, re.DOTALL) is not None
