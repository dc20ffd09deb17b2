"""The API restarted under a live watch: kill -9 on the daemon, and start; the handle goes on."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.session.session import Session
from tests.support.daemon import SMOL, kubeai_local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubeai_notebook.session.live.subscription import Change


@pytest.fixture
def own_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("KUBEAI_LOCAL_HOME", str(tmp_path / "home"))
    session = Session(context="local")
    yield session
    session.close()
    kubeai_local("stop")


def test_sees_the_model_serve_again_after_the_api_was_killed_and_started(own_daemon: Session) -> None:
    model = own_daemon.serve(name="smol", **SMOL).wait(90)
    before = {pod["metadata"]["uid"] for pod in model.view.observation.pods}

    def lost(change: Change) -> bool:
        return change.view is not None and change.view.link.state == "reconnecting"

    def back(change: Change) -> bool:
        view = change.view
        assert view is not None
        pods = {pod["metadata"]["uid"] for pod in view.observation.pods}
        return view.link.state == "live" and view.status.phase == "Ready" and not pods & before

    with model.subscribe() as changes:
        os.kill(json.loads(kubeai_local("status", "--json").stdout)["pid"], signal.SIGKILL)
        assert changes.until(lost, 30), model.view
        assert kubeai_local("start").returncode == 0
        assert changes.until(back, 60), model.view
    assert model.complete("The capital of France is", max_tokens=2)
