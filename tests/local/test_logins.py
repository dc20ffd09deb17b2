"""What the daemon and its workers say of a Model never shows a login or a key of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys

import pytest

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.api.store import Store
from kubeai_notebook.local.emulation.kinds import EVENTS, NAMESPACES
from kubeai_notebook.local.engines import llamacpp_worker
from kubeai_notebook.local.operator.recorder import Recorder, RunLog
from kubeai_notebook.local.weights import Weights
from kubeai_notebook.local.weights import downloads as module

SECRET = "swordfish-77"
URL = f"s3://me:{SECRET}@bucket/x"


def test_names_unknown_args_without_their_secrets(capsys):
    ours = argparse.Namespace(threads=1, embedding=False)
    llamacpp_worker._understood(["--api-key", SECRET, "--odd", "7"], ours)
    said = capsys.readouterr().err
    assert "--api-key *** --odd 7" in said
    assert SECRET not in said


def test_hides_a_login_in_a_log_and_in_events(tmp_path):
    log, store = RunLog(tmp_path / "0"), Store()
    store.create(NAMESPACES, {"metadata": {"name": "default"}})
    pod = {"metadata": {"name": "p", "namespace": "default", "uid": "u", "resourceVersion": "1"}}
    log.say(f'Pulling weights "{URL}"')
    log.close()
    recorder = Recorder(store)
    for _ in range(2):
        recorder.note(pod, "Pulling", f'Pulling weights "{URL}"')
    (event,) = store.items(EVENTS, "default")
    assert event["count"] == 2
    for said in ((tmp_path / "0").read_text(), event["message"]):
        assert "s3://me:***@bucket/x" in said


def test_hides_a_login_in_what_fetching_says(tmp_path):
    order = {"url": URL, "kind": "model", "package": None, "doubted": False, "memory_bytes": 1, "part": str(tmp_path)}
    command = [sys.executable, "-P", "-m", "kubeai_notebook.local.weights.fetch_worker"]
    done = subprocess.run(command, input=json.dumps(order) + "\n", capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["error"]
    assert SECRET not in done.stdout + done.stderr


def test_hides_a_login_in_why_weights_cannot_be_had(tmp_path, monkeypatch):
    async def nothing(*_args, **_named):
        yield {"ended": 1, "words": f"odd words about {URL}"}

    monkeypatch.setattr(module, "_reports", nothing)
    for cache in (tmp_path / "cache", tmp_path / "file" / "cache"):
        (tmp_path / "file").touch()
        with pytest.raises(LocalError) as refused:
            asyncio.run(Weights(cache, mapped={}, environment={}).fetch(URL, lambda *_: None))
        assert "bucket/x" in str(refused.value)
        assert SECRET not in str(refused.value)
