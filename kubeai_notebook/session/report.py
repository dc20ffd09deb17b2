"""A Model's report: one redacted text to send to somebody who is to help."""

from __future__ import annotations

import platform
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.manifest import cleaned, to_yaml
from kubeai_notebook.core.masking import is_secret_name, masked
from kubeai_notebook.core.status import event_time
from kubeai_notebook.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeai_notebook.core.diagnosis import Finding
    from kubeai_notebook.core.observation import Observation

    from .model import Model

LAST_EVENTS, LAST_LINES = 20, 100
_PACKAGES = ("kubeai-notebook", "kubernetes", "openai", "ipywidgets", "pandas")


def report_of(model: Model) -> str:
    """Markdown: status, Findings, the Model, its Pods, Events and logs; every secret is masked."""
    view = model.view
    sections = [
        f"# {model.name}: {view.status.phase}",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC. {view.status.detail}",
        _versions(view.observation),
        *_findings(view.findings),
        "## Model\n" + _fenced(to_yaml(_redacted(view.model)), "yaml"),
        "## Pods\n" + (_fenced("\n".join(_pod(pod) for pod in view.observation.pods)) or "None."),
        "## Events\n" + (_fenced("\n".join(_events(view.observation))) or "None."),
        *_logs(view.observation),
    ]
    return plain(masked("\n\n".join(section for section in sections if section))) + "\n"


def _versions(observation: Observation) -> str:
    known = [f"{name} {_version(name)}" for name in _PACKAGES]
    kubeai = [f"KubeAI {observation.operator.version}"] if observation.operator.version else []
    return f"{', '.join([*kubeai, *known])}, Python {platform.python_version()} on {platform.system()}."


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed: run from its source)"


def _findings(findings: tuple[Finding, ...]) -> Iterator[str]:
    for number, finding in enumerate(findings, 1):
        lines = [f"## {number}. {finding.title} ({finding.code})"]
        lines += [f"- {evidence.where}: `{evidence.text}`" for evidence in finding.evidence]
        lines += [f"- Fix: {fix.title}" for fix in finding.fixes]
        yield "\n".join(lines)


def _redacted(model: Mapping[str, Any]) -> dict[str, Any]:
    """The Model without values that may be secret, and without what its files hold."""
    clean = cleaned(model)
    spec = clean["spec"]
    if spec.get("env"):
        spec["env"] = {key: "***" if is_secret_name(key) else value for key, value in spec["env"].items()}
    if spec.get("files"):
        spec["files"] = [{**file, "content": f"({len(file['content'])} characters)"} for file in spec["files"]]
    return clean


def _pod(pod: Mapping[str, Any]) -> str:
    status = pod.get("status") or {}
    states = [
        f"{one['name']} restarts {one.get('restartCount', 0)} {one.get('state', {})}"
        for one in status.get("containerStatuses") or []
    ]
    return "\n  ".join([f"{pod['metadata']['name']} {status.get('phase', '')}", *states])


def _events(observation: Observation) -> Iterator[str]:
    for event in sorted(observation.events, key=event_time)[-LAST_EVENTS:]:
        times = f" {event['count']} times" if (event.get("count") or 1) > 1 else ""
        yield f"{event_time(event)[0]} {event.get('reason', '')}{times}: {event.get('message', '')}"


def _logs(observation: Observation) -> Iterator[str]:
    for tail in observation.logs:
        run = " (the run before)" if tail.previous else ""
        lines = tail.text.splitlines()[-LAST_LINES:]
        yield f"## Log of {tail.pod}/{tail.container}{run}\n" + _fenced("\n".join(lines))


def _fenced(text: str, language: str = "") -> str:
    """A fence that no log can end."""
    longest = max(map(len, re.findall("`{3,}", text)), default=3)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}" if text else ""
