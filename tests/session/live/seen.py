"""The first View of a Model that is as a test wants it, and a Pod that crashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.fake_api import pod

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.core.view import View
    from kubeai_notebook.session.live.publisher import Publisher


def seen(publisher: Publisher, name: str, wanted: Callable[[View], bool]) -> View:
    with publisher.subscribe([name]) as changes:
        change = changes.until(lambda change: change.view is not None and wanted(change.view), 30)
    assert change is not None, f"{name} did not come to it; last: {changes.latest(name)}"
    assert change.view is not None
    return change.view


def crashed(name: str, of: str, *, restarts: int = 1, **more: Any) -> dict[str, Any]:
    status = {
        "name": "server",
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
    }
    return pod(name, of, ready=False, containerStatuses=[status], **more)
