"""What a Model's Pods said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.masking import masked_lines
from kubeai_notebook.core.objects import Pod
from kubeai_notebook.core.phase import broken_because
from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.present.log import Log

from .live.log_sources import main_container
from .waiting import look_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.view import View

    from .connection import Connection


def log_of(session: Connection, name: str, *, tail_lines: int, previous: bool, pod: str, container: str) -> Log:
    """Read a log as plain text; secrets in it are masked, the Model's own whatever they look like."""
    view = look_at(session.publisher, name)
    pod, container = _place(name, view, pod=pod, container=container)
    text = session.cluster.pod_log(pod, tail_lines=tail_lines, previous=previous, container=container)
    return Log("\n".join(masked_lines(text.split("\n"), view.observation.secrets)), pod=pod)


def follow(session: Connection, name: str, *, tail_lines: int, pod: str, container: str) -> Iterator[str]:
    """Yield a log line by line as it is written, plain and secrets masked; closing the iterator closes the stream."""
    view = look_at(session.publisher, name)
    pod, container = _place(name, view, pod=pod, container=container)
    lines = session.cluster.follow_log(pod, container=container, tail_lines=tail_lines)
    return masked_lines(lines, view.observation.secrets)


def _place(name: str, view: View, *, pod: str, container: str) -> tuple[str, str]:
    """The Pod and container that a user means: by default a Pod that is broken, else the newest, and what it is for."""
    pods = sorted(map(Pod, view.observation.pods), key=lambda pod: pod.created)
    if not pod:
        if not pods:
            why = f'attach("{name}").why() says why.'
            raise NotFoundError(f"{name} has no Pod, so there is no log.", why)
        broken = [listed for listed in pods if broken_because(listed.raw)]
        pod = (broken or pods)[-1].name
    elif pod not in {listed.name for listed in pods}:
        # Whoever may read a Model's log is not shown that of any Pod beside it.
        raise NotFoundError(f'{name} has no Pod "{pod}".', "Leave the Pod out to read the newest one's log.")
    if not container:
        container = next((main_container(listed.raw) for listed in pods if listed.name == pod), "server")
    return pod, container
