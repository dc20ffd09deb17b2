"""%kubeai_local, against a daemon of a home of its own: no PATH is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.errors import LocalError, UsageError
from kubeai_notebook.session.session import default

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def own(run: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    monkeypatch.setenv("KUBEAI_LOCAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return run


def test_starts_shows_and_stops_the_daemon(own, tmp_path: Path) -> None:
    assert own("%kubeai_local status") == "kubeai-local is not running."
    try:
        kubeconfig = tmp_path / "home" / "kubeconfig"
        assert own("%kubeai_local start") == f"KubeAI runs on this machine; its kubeconfig is {kubeconfig}."
        assert str(kubeconfig) in own("%kubeai_local status")
    finally:
        assert own("%kubeai_local stop") == "kubeai-local has stopped."


def test_sees_the_daemon_again_in_the_cell_after_its_start(own, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # without a kubeconfig
    own("%kubeai_config context=local")
    try:
        own("%kubeai_local start\n%kubeai_serve idle --url ollama://smollm2:135m --min-replicas 0 -q")
        own("%kubeai_local stop")
        assert repr(own("%kubeai_models")).startswith("Not connected")
        own("%kubeai_local start")
        assert default().publisher.link.state == "live"
        assert not repr(own("%kubeai_models")).startswith("Not connected")
    finally:
        own("%kubeai_local stop")


def test_maps_a_file_to_a_url_and_says_what_is_not_there(own, tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    mapped = own(f"%kubeai_local add ollama://tiny:1={tmp_path}/tiny.gguf")
    assert mapped == f"ollama://tiny:1 is {tmp_path}/tiny.gguf from now on."
    with pytest.raises(LocalError, match='The weights for "ollama://tiny:1" are not there'):
        own("%kubeai_local add ollama://tiny:1=/nowhere.gguf")
    with pytest.raises(LocalError, match="is not URL=PATH"):
        own("%kubeai_local add /nowhere.gguf")


@pytest.mark.parametrize(("word", "meant"), [("strat", "start"), ("stat", "status")])
def test_names_the_nearest_action(own, word: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f'%kubeai_local does not know "{word}". Did you mean "{meant}"'):
        own(f"%kubeai_local {word}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("start -- --port 8888", "%kubeai_local start does not take --port 8888."),
        ("logs a b", "%kubeai_local logs does not take b."),
        ("start -- --cache", "%kubeai_local start: argument --cache: expected one argument."),
    ],
)
def test_says_what_shows_the_options_that_the_program_takes(own, line: str, said: str) -> None:
    action = line.partition(" ")[0]
    with pytest.raises(LocalError) as raised:
        own(f"%kubeai_local {line}")
    assert str(raised.value).startswith(f"{said} %kubeai_local {action} -- --help lists what it takes.")


def test_shows_the_options_that_the_program_takes(own) -> None:
    assert "%kubeai_local start -- --help lists that." in str(own("%kubeai_local --help"))
    assert own("%kubeai_local start -- --help").startswith("usage: ")
