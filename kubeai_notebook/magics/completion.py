"""Completion on Tab: options, and the names that this kernel knows already. Nothing is asked of a cluster here."""

from __future__ import annotations

import re
import sys
import threading
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion

from kubeai_notebook.core.catalog.chart import CHART
from kubeai_notebook.core.rules.schema import SPEC
from kubeai_notebook.errors import KubeAIError

from .registry import VERBS, Verb, parser_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from IPython.core.completer import SimpleMatcherResult

    from kubeai_notebook.session.session import Session

_LINE = re.compile(r"(?:^|=)\s*%{1,2}kubeai(?:_(?P<stem>\w+)|\s+(?P<verb>\w+))\s(?P<rest>.*)$")
_UMBRELLA = re.compile(r"(?:^|=)\s*%{1,2}kubeai\s+(?P<word>\w*)$")
_WORD = re.compile(r"[A-Za-z0-9._:/@+%=?&#-]+")
"""What is one plain word of a line, whoever chose it: names and urls of a cluster are others' texts."""
_NAMED = frozenset({"status", "why", "logs", "chat", "scale", "restart", "rollback", "delete", "attach", "yaml"})
_ENGINES: tuple[str, ...] = tuple(SPEC["properties"]["engine"]["enum"])
_FEATURES: tuple[str, ...] = tuple(SPEC["properties"]["features"]["items"]["enum"])
_STRATEGIES: tuple[str, ...] = tuple(SPEC["properties"]["loadBalancing"]["properties"]["strategy"]["enum"])


def complete(line: str) -> SimpleMatcherResult:
    """What may stand at the end of a magic's line."""
    umbrella = _UMBRELLA.search(line)
    if umbrella:
        return _result(umbrella["word"], [verb.name for verb in VERBS], "magic")
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
        return _result(value, _values(options[name].dest), "value")
    if last is not None and last.nargs != 0:
        return _result(word, _values(last.dest), "value")
    if word.startswith("-"):
        return _result(word, _long(options), "option")
    flags = [] if word else _long(options)
    if verb.name == "config":
        return _result(word, _settings(), "option")
    if verb.name in _NAMED and (verb.name == "delete" or not _has_name(before, options)):
        # Before anything was looked at no name is known; with nothing to offer, IPython would offer Python's words.
        return _result(word, _known("names") or _long(options), "Model")
    if verb.name == "serve" and not any("://" in one for one in before):
        names = [] if _has_name(before, options) else _known("names")
        return _result(word, [*names, *_urls(), *flags], "Model")
    return _result(word, flags, "option")


def _long(options: Iterable[str]) -> list[str]:
    return [option for option in options if option.startswith("--")]


def _has_name(before: Iterable[str], options: dict[str, argparse.Action]) -> bool:
    """Whether a word stands there already that is no option and no option's value."""
    valued = False
    for word in before:
        if not valued and not word.startswith("-"):
            return True
        action = options.get(word)
        valued = not valued and action is not None and action.nargs != 0
    return False


def _values(field: str) -> list[str]:
    choices = {"engine": _ENGINES, "features": _FEATURES, "strategy": _STRATEGIES}
    if field in choices:
        return list(choices[field])
    if field == "url":
        return _urls()
    if field == "resource_profile":
        return [f"{name}:1" for name in _known("profiles") or CHART["resourceProfiles"]]
    return _known("secret_names") if field == "secrets" else _known("names") if field == "stated_name" else []


def _known(what: str) -> list[str]:
    """Names that the default Session knows; none before something was served or looked at."""
    sessions = sys.modules.get("kubeai_notebook.session.session")
    known = getattr(sessions.default(), what)() if sessions else ()
    return [text for text in known if not text.startswith("-")]  # that would be an option


def _urls() -> list[str]:
    """What can be served: what lies here first, once that is known, and before then what many begin with."""
    from kubeai_notebook.core.catalog.offers import offers_of, urls_of

    return _known("urls") or urls_of(offers_of((), None))


def _settings() -> list[str]:
    from kubeai_notebook import settings

    return [f"{name}=" for name in settings.KubeAI.class_own_traits(config=True)]


def _result(begun: str, candidates: Iterable[str], kind: str) -> SimpleMatcherResult:
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
