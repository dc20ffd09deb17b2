"""All faults are played at once, once; the tests look at how each went."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.session.session import Session
from kubeai_notebook.settings import Settings

from .stage import Outcome, Stage
from .table import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 6


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    urls = {fault.url for fault in faults()} | {"ollama://scripted", "hf://org/lora"}
    made = Stage(tmp_path_factory.mktemp("stage"), urls)
    yield made
    made.close()


@pytest.fixture(scope="package")
def watching(stage: Stage) -> Iterator[Session]:
    """A Session on the stage's daemon."""
    session = Session(settings=Settings(kubeconfig=str(stage.kubeconfig)))
    session.publisher.ready()
    yield session
    session.close()


@pytest.fixture(scope="package")
def outcomes(stage: Stage, watching: Session) -> dict[str, Outcome]:
    """How each fault went, by its name."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        playable = [fault for fault in faults() if not fault.is_command or shutil.which("kubectl")]
        running = {fault.name: pool.submit(stage.play, fault, watching) for fault in playable}
    return {name: future.result() for name, future in running.items()}
