"""Completion on Tab: options, and the names that this kernel knows already. Nothing is asked of a cluster here."""

from __future__ import annotations

import re
import sys
import threading
from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.core.completer import SimpleCompletion

from kubeai_notebook.core.kubeai.chart import CHART
from kubeai_notebook.core.rules.schema import FEATURES, SPEC
from kubeai_notebook.core.snippets import KINDS
from kubeai_notebook.errors import KubeAIError
from kubeai_notebook.session.local_program import ACTIONS

from .registry import VERBS, Verb, parser_of
from .tables import columns_of, tables_in

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from IPython.core.completer import SimpleMatcherResult

    from kubeai_notebook.session.session import Session

_LINE = re.compile(r"(?:^|=)\s*%{1,2}kubeai(?:_(?P<stem>\w+)|\s+(?P<verb>\w+))\s(?P<rest>.*)$")
_UMBRELLA = re.compile(r"(?:^|=)\s*%{1,2}kubeai\s+(?P<word>\w*)$")
_WORD = re.compile(r"[A-Za-z0-9._:/@+%=?&#-]+")
"""What is one plain word of a line, whoever chose it: names and urls of a cluster are others' texts."""
_NAMED = frozenset({
    "status", "why", "logs", "chat", "code", "scale", "restart", "rollback", "delete", "attach", "yaml", "map", "embed",
    "compare",
})  # fmt: skip
_SEVERAL = {"delete": 1000, "compare": 2}
"""How many names of Models a line has, where it is not one."""
_ENGINES: tuple[str, ...] = tuple(SPEC["properties"]["engine"]["enum"])
_STRATEGIES: tuple[str, ...] = tuple(SPEC["properties"]["loadBalancing"]["properties"]["strategy"]["enum"])
_ERRORS = ("column", "frame", "raise")


def complete(line: str) -> SimpleMatcherResult:
    """What may stand at the end of a magic's line."""
    umbrella = _UMBRELLA.search(line)
    if umbrella:
        return result(umbrella["word"], [verb.name for verb in VERBS], "magic")
    found = _LINE.search(line)
    verb = next((one for one in VERBS if found and one.name == (found["stem"] or found["verb"])), None)
    if not found or not verb or " -- " in found["rest"]:
        return {"completions": []}
    *before, word = found["rest"].split(" ")
    return _of_words(verb, [one for one in before if one], word)


def _of_words(verb: Verb, before: list[str], word: str) -> SimpleMatcherResult:
    options: dict[str, argparse.Action] = parser_of(verb).options
    last = options.get(before[-1]) if before else None
    name, equals, value = word.partition("=")
    if equals and name in options:
        return result(value, values(options[name].dest), "value")
    if last is not None and last.nargs != 0:
        return result(word, values(last.dest), "value")
    if word.startswith("-"):
        return result(word, _long(options), "option")
    if verb.name == "config":
        return result(word, _settings(), "option")
    return _of_a_place(verb, _words(before, options), word, flags=[] if word else _long(options))


def _of_a_place(verb: Verb, words: list[str], word: str, *, flags: list[str]) -> SimpleMatcherResult:
    """What may stand behind these words that is no option's value."""
    if verb.name in _NAMED and len(words) < _SEVERAL.get(verb.name, 1):
        # Before anything was looked at no name is known; with nothing to offer, IPython would offer Python's words.
        return result(word, known("names") or flags, "Model")
    if verb.name == "local":
        return result(word, [*([] if words else ACTIONS), *flags], "option")
    if verb.name == "code":
        return result(word, [*KINDS, *flags], "kind")
    if verb.name in ("serve", "form") and not any("://" in given for given in words):
        return result(word, [*([] if words else known("names")), *_urls(), *flags], "Model")
    if verb.name in ("map", "embed") and len(words) == 1:
        return result(word, [*tables_in(_variables()), *flags], "table")
    if verb.name == "embed" and len(words) == 2:
        return result(word, [*columns_of(_variables().get(words[1])), *flags], "column")
    return result(word, flags, "option")


def _long(options: Iterable[str]) -> list[str]:
    return [option for option in options if option.startswith("--")]


def _words(before: Iterable[str], options: dict[str, argparse.Action]) -> list[str]:
    """The words that stand there already and are no option and no option's value."""
    words, valued = [], False
    for word in before:
        if not valued and not word.startswith("-"):
            words.append(word)
        action = options.get(word)
        valued = not valued and action is not None and action.nargs != 0
    return words


def _variables() -> dict[str, Any]:
    return getattr(get_ipython(), "user_ns", {})


def values(field: str) -> list[str]:
    """What a field, or an option of its name, may hold; nothing of one that may hold anything."""
    choices = {"engine": _ENGINES, "features": FEATURES, "strategy": _STRATEGIES, "errors": _ERRORS}
    if field in choices:
        return list(choices[field])
    if field == "url":
        return _urls()
    if field == "resource_profile":
        return [f"{name}:1" for name in known("profiles") or CHART["resourceProfiles"]]
    return known("secret_names") if field == "secrets" else known("names") if field == "stated_name" else []


def known(what: str) -> list[str]:
    """Names that the default Session knows; none before something was served or looked at."""
    sessions = sys.modules.get("kubeai_notebook.session.session")
    found = getattr(sessions.default(), what)() if sessions else ()
    return [text for text in found if not text.startswith("-")]  # that would be an option


def _urls() -> list[str]:
    """What can be served: what lies here first, once that is known, and before then what many begin with."""
    from kubeai_notebook.core.catalog.offers import offers_of, urls_of

    return known("urls") or urls_of(offers_of((), None))


def _settings() -> list[str]:
    from kubeai_notebook import settings

    return [f"{name}=" for name in settings.KubeAI.class_own_traits(config=True)]


def result(begun: str, candidates: Iterable[str], kind: str) -> SimpleMatcherResult:
    """The candidates that begin so, as IPython takes them."""
    # The line runs as it stands: braces would be evaluated, and a blank would begin another option.
    fit = (text for text in candidates if _WORD.fullmatch(text))
    found = [SimpleCompletion(text=text, type=kind) for text in fit if text.lower().startswith(begun.lower())]
    return {"completions": found, "matched_fragment": begun, "suppress": bool(found), "ordered": True}


def learn(session: Session) -> None:
    """Ask for profiles and Secrets in a thread, if they are not known and the Session is connected."""
    if session.connected and not session.profiles():
        threading.Thread(target=_ask, args=(session,), name="kubeai-learn", daemon=True).start()


def _ask(session: Session) -> Any:
    try:
        return session.facts
    except (KubeAIError, OSError):
        return None  # then Tab offers none
