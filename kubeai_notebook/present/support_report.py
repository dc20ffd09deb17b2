"""A Model's report: one redacted text to send to somebody who is to help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.manifest import cleaned, to_yaml
from kubeai_notebook.core.masking import masked, masked_spec
from kubeai_notebook.core.objects import LONG_AGO, Event, count_at, map_at, maps_at, name_of, text_at
from kubeai_notebook.text import markdown, one_line, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.observation import Observation
    from kubeai_notebook.core.view import View

LAST_EVENTS, LAST_LINES = 20, 100


def support_report(view: View, *, software: str, now: datetime) -> str:
    """Markdown: status, Findings, the Model, its Pods, Events and logs; every secret is masked.

    ``software`` is a sentence on the versions of what runs here; ``now`` is in UTC.
    """
    secrets, seen = view.observation.secrets, view.observation
    kubeai = f"KubeAI {seen.operator.version}, " if seen.operator.version else ""
    sections = [
        f"# {_sentence(name_of(view.model))}: {view.status.phase}",
        f"{now:%Y-%m-%d %H:%M:%S} UTC. {_sentence(view.status.detail, secrets)}",
        _sentence(kubeai + software),
        *_findings(view.findings, secrets),
        "## Model\n" + _fenced(to_yaml(_redacted(view.model)), "yaml"),
        "## Pods\n" + (_fenced("\n".join(_pod(pod, secrets) for pod in seen.pods)) or "None."),
        "## Events\n" + (_fenced("\n".join(_events(seen))) or "None."),
        *_logs(seen),
    ]
    text = "\n\n".join(section for section in sections if section)
    return plain(masked(text, secrets)) + "\n"


def _findings(findings: tuple[Finding, ...], secrets: tuple[str, ...]) -> Iterator[str]:
    for number, finding in enumerate(findings, 1):
        lines = [f"## {number}. {_sentence(finding.message, secrets)} ({finding.code})"]
        lines += [f"- {_sentence(one.where, secrets)}: {_code(one.text, secrets)}" for one in finding.evidence]
        lines += [f"- Fix: {_sentence(fix.title, secrets)}" for fix in finding.remedies]
        yield "\n".join(lines)


def _sentence(text: str, secrets: tuple[str, ...] = ()) -> str:
    """One line that shows its words and does nothing else: what it says may be a log's.

    Secrets are hidden before: they are not found among signs that were written otherwise, and what is hidden
    afterwards could take the end of a code with it.
    """
    return markdown(one_line(masked(text, secrets))).strip()


def _code(text: str, secrets: tuple[str, ...]) -> str:
    """A line as code that no text can end: behind more backticks than it has in a row."""
    line = one_line(masked(text, secrets))
    longest = max(map(len, re.findall("`+", line)), default=0)
    edge, blank = "`" * (longest + 1), " " if longest else ""
    return f"{edge}{blank}{line}{blank}{edge}"


def _redacted(model: Mapping[str, Any]) -> dict[str, Any]:
    """The Model without values that may be secret, and without what its files hold."""
    clean = cleaned(model)
    return {**clean, "spec": masked_spec(map_at(clean, "spec"))}


def _pod(pod: Mapping[str, Any], secrets: tuple[str, ...]) -> str:
    states = []
    for status in maps_at(pod, "status", "containerStatuses"):
        state = _hidden(map_at(status, "state"), secrets)
        states.append(f"{text_at(status, 'name')} restarts {count_at(status, 'restartCount')} {state}")
    return "\n  ".join([f"{name_of(pod)} {text_at(pod, 'status', 'phase')}", *states])


def _hidden(part: Any, secrets: tuple[str, ...]) -> Any:
    """The same without secrets; masked before it is written as Python, which spells a control character out."""
    if isinstance(part, dict):
        return {key: _hidden(value, secrets) for key, value in part.items()}
    return masked(part, secrets) if isinstance(part, str) else part


def _events(observation: Observation) -> Iterator[str]:
    events = sorted(map(Event, observation.events), key=lambda event: event.order)
    for event in events[-LAST_EVENTS:]:
        times = f" {event.count} times" if event.count > 1 else ""
        seen = f"{event.time:%Y-%m-%dT%H:%M:%SZ}" if event.time != LONG_AGO else "at an unknown time"
        yield f"{seen} {event.reason}{times}: {event.message}"


def _logs(observation: Observation) -> Iterator[str]:
    for tail in observation.logs:
        run = " (the run before)" if tail.previous else ""
        lines = tail.text.splitlines()[-LAST_LINES:]
        yield f"## Log of {_sentence(f'{tail.pod}/{tail.container}')}{run}\n" + _fenced("\n".join(lines))


def _fenced(text: str, language: str = "") -> str:
    """A fence that no log can end."""
    longest = max(map(len, re.findall("`{3,}", text)), default=3)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}" if text else ""
