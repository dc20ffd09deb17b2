"""Which remedies the rules have, and which of them made the Fixes of a diagnosis: read from the code itself."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.diagnosis import Fix, diagnose
from tests.core.diagnosis.test_tables import rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from kubeai_notebook.core.diagnosis import Finding
    from kubeai_notebook.core.diagnosis.engine.rule import Remedy, Rule
    from kubeai_notebook.core.observation import Observation

RULES = "kubeai_notebook.core.diagnosis"
WORDS_ONLY = ("advise", "without")


def label_of(maker: str, bound: Mapping[str, Any]) -> str:
    """A remedy by the words of the code that makes it, such as ``set_argument --dtype=half``."""
    if maker == "_resized":
        return "more_units" if "more" in bound["title"] else "fewer_units"
    if maker in ("set_argument", "set_env"):
        return f"{maker} {bound['name']}={bound['value']}"
    if maker == "set_field":
        return f"{maker} {bound['field']}={bound['value']}"
    if maker in ("drop_argument", "drop_env", "set_features"):
        return " ".join([maker, *bound["features" if maker == "set_features" else "names"]])
    return f"run {bound['command']}" if maker == "run" else maker


def all_remedies(*, commands: bool) -> set[tuple[str, str]]:
    """Code and label of every remedy that gives a command, or else a patch."""
    labels = ((rule.code, label) for rule in rules() for _, label in labels_of(rule))
    return {(code, label) for code, label in labels if label.startswith("run ") == commands}


def labels_of(rule: Rule) -> Iterator[tuple[Remedy, str]]:
    """A rule's remedies that do more than give words, with their labels."""
    for remedy in rule.fixes:
        maker = remedy.__qualname__.partition(".")[0]
        if maker not in WORDS_ONLY:
            yield remedy, label_of(maker, inspect.getclosurevars(remedy).nonlocals)


def explained(observation: Observation, now: datetime) -> tuple[tuple[Finding, ...], dict[Fix, str]]:
    """The diagnosis once more, and the label of the remedy that made each of its Fixes."""
    made: list[tuple[Fix, str]] = []

    def watch(frame: Any, event: str, result: object) -> None:
        maker = frame.f_code.co_qualname.partition(".")[0]
        in_rules = frame.f_globals["__name__"].startswith(RULES) and maker != "_hidden"
        if event == "return" and isinstance(result, Fix) and in_rules:
            made.append((result, label_of(maker, frame.f_locals)))

    sys.setprofile(watch)
    try:
        found = diagnose(observation, now=now)
    finally:
        sys.setprofile(None)
    # The outermost remedy returns last, so of two labels for one Fix the later is the one in the rule.
    return found, dict(made)
