"""Real daemons: one that most tests share, one with a scripted engine, and those of a test's own."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.daemon import Daemon, scripted_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def kubeai(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The daemon that most tests share; its weights come from the machine's own cache (KUBEAI_CACHE)."""
    running = Daemon(tmp_path_factory.mktemp("home"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Start daemons of a test's own, with options and environment."""
    made: list[Daemon] = []

    def make(*options: str, **environment: str) -> Daemon:
        made.append(Daemon(tmp_path / f"home{len(made)}", *options, **environment))
        made[-1].start()
        return made[-1]

    yield make
    for running in made:
        with suppress(AssertionError):
            running.stop()


@pytest.fixture(scope="session")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose engine is scripted and whose autoscaler is quick."""
    folder = tmp_path_factory.mktemp("scripted")
    options = scripted_options(folder, interval="0.2s", timeWindow="1s")
    running = Daemon(folder / "home", *options, KUBEAI_LOCAL_TESTING="1")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def smol(kubeai: Daemon) -> str:
    """A Model that is ready: SmolLM2 by its real name."""
    kubeai.create("smol")
    kubeai.ready_pod("smol")
    return "smol"
