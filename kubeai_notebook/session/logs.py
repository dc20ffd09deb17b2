"""What a Model's Pods said and what happened to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.status import broken_because, event_time
from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.text import LONGEST, Shown, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from .model import Model


class Log(Shown, str):
    """The end of one container's log; a str that shows itself line by line.

    The str keeps what the container wrote, control characters and all; what is shown is plain.
    """

    __slots__ = ("pod",)
    pod: str

    def __new__(cls, text: str, *, pod: str) -> Log:
        """Make it of the text and the name of its Pod."""
        log = super().__new__(cls, text)
        log.pod = pod
        return log

    def _text(self) -> str:
        if len(self) > LONGEST:
            return f"…{self[-LONGEST + 1 :]}"
        return str(self) or f"{self.pod} has written nothing so far."


def log_of(model: Model, *, tail_lines: int, previous: bool, pod: str, container: str) -> Log:
    """Read a log; secrets in it are masked."""
    pod = pod or _pod_name(model)
    text = model.session.cluster.pod_log(pod, tail_lines=tail_lines, previous=previous, container=container)
    return Log(masked(text), pod=pod)


def follow(model: Model, *, tail_lines: int, pod: str, container: str) -> Iterator[str]:
    """Yield a log line by line as it is written; closing the iterator closes the stream."""
    lines = model.session.cluster.follow_log(pod or _pod_name(model), container=container, tail_lines=tail_lines)
    return (masked(line) for line in lines)


def _pod_name(model: Model) -> str:
    """The Pod that a user means: one that is broken, else the newest."""
    pods = sorted(model.view.observation.pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    if not pods:
        raise NotFoundError(f"{model.name} has no Pod, so there is no log.", f"%kubeai_why {model.name} says why.")
    broken = [pod for pod in pods if broken_because(pod)]
    return str((broken or pods)[-1]["metadata"]["name"])


def events_of(model: Model) -> pd.DataFrame:
    """Events of the Model's Pods, Jobs and claims: last seen (UTC), type, reason, object, message, count."""
    import pandas as pd

    from .table import PlainTable

    rows = [
        {
            "last seen": pd.Timestamp(event_time(event)[0]) if event_time(event)[0] else pd.NaT,
            "type": plain(str(event.get("type", ""))),
            "reason": plain(str(event.get("reason", ""))),
            "object": plain(str(event["involvedObject"].get("name", ""))),
            "message": plain(masked(str(event.get("message", "")))),
            "count": event.get("count") or 1,
        }
        for event in sorted(model.view.observation.events, key=event_time)
    ]
    return PlainTable(rows, columns=["last seen", "type", "reason", "object", "message", "count"])
