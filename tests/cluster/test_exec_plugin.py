"""Login plugins that print secrets, never end, write without end, or stand oddly in the kubeconfig."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from kubeai_notebook.cluster.exec_plugin import ExecPlugin
from kubeai_notebook.errors import UnauthorizedError
from tests.support.waiting import until

V1 = "client.authentication.k8s.io/v1"


def plugin(folder: Path, script: str, **fields: Any) -> ExecPlugin:
    program = folder / "plugin"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return ExecPlugin({"apiVersion": V1, "command": str(program), **fields}, {}, folder, "config")


def refusal(asked: ExecPlugin, seconds: float = 20) -> str:
    with pytest.raises(UnauthorizedError) as raised:
        asked.ask(dict(os.environ), seconds)
    return str(raised.value)


def test_shows_no_value_of_its_variables_and_no_secret_of_its_args(tmp_path: Path) -> None:
    env = [{"name": "MYVAR", "value": "geheimnisvoll77"}]
    args = ["--pass", "hunterzwei99"]
    asked = plugin(tmp_path, 'echo "bad login: $MYVAR $2" >&2; exit 1', env=env, args=args)
    assert "bad login: *** ***" in refusal(asked)
    assert "geheimnis" not in repr(asked)
    assert "geheimnis" not in refusal(
        plugin(tmp_path, """printf '{"kind": "ExecCredential", "apiVersion": "%s"}' "$MYVAR\"""", env=env)
    )


def test_ends_with_all_that_it_has_started(tmp_path: Path) -> None:
    asked = plugin(tmp_path, f"sleep 60 & echo $! > {tmp_path}/pid; echo please wait >&2; wait")
    assert 'did not end within 1 s and waits: "please wait"' in refusal(asked, 1)
    started = int((tmp_path / "pid").read_text())

    def is_gone() -> bool:
        try:
            return Path(f"/proc/{started}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    until(is_gone)


def test_ends_in_time_where_something_that_left_its_group_keeps_the_pipe(tmp_path: Path) -> None:
    asked = plugin(tmp_path, f"setsid sleep 60 & echo $! > {tmp_path}/pid; exit 0")
    assert "did not end within 1 s" in refusal(asked, 1)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # it still runs


@pytest.mark.parametrize("script", ["cat /dev/zero", "cat /dev/zero >&2"])
def test_is_ended_where_it_writes_without_end(tmp_path: Path, script: str) -> None:
    assert "fails with exit code" in refusal(plugin(tmp_path, f"exec {script}"), 60)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"args": 5}, "args that are no list"),
        ({"args": "abc"}, "args that are no list"),
        ({"args": ["a\0b"]}, "zero byte"),
        ({"command": "a\0b"}, "zero byte"),
        ({"env": 5}, "no list of names and values"),
        ({"env": ["A"]}, "no list of names and values"),
        ({"env": [{"name": "A=B", "value": "s3cr3t-x"}]}, "= in it"),
        ({"env": [{"value": "s3cr3t-x"}]}, "without a name"),
        ({"env": [{"name": "A", "value": "s3cr3t-x\0"}]}, "zero byte"),
    ],
)
def test_says_in_a_sentence_what_cannot_be_started(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    shown = refusal(plugin(tmp_path, "true", **fields))
    assert words in shown
    assert "s3cr3t" not in shown


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59", "x"])
def test_gives_its_token_whatever_it_says_of_its_time(tmp_path: Path, moment: str) -> None:
    status = {"token": "t", "expirationTimestamp": moment}
    answer = json.dumps({"kind": "ExecCredential", "apiVersion": V1, "status": status})
    assert plugin(tmp_path, f"echo '{answer}'").ask(dict(os.environ)).token == "t"
