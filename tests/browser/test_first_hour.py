"""A laptop's first hour: the tour, then a model that nobody ships, through all that its download meets on the way."""

from __future__ import annotations

import re
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.http_server import Answer, HttpServer
from tests.support.hub import Hub
from tests.support.processes import small_disk
from tests.support.registry import Registry
from tests.support.wheel import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.http_server import Received

    from .installation import Installation
    from .notebook import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

CELLS = (
    "%load_ext kubeai_notebook",
    "%kubeai_catalog 135m",
    "%kubeai_serve corsair ollama://corsair:135m",
    "%kubeai_why corsair",
    "%kubeai_restart corsair",
    "%%kubeai_chat corsair --max-tokens 20 --temperature 0\nThe capital of France is",
    "%kubeai_serve bge hf://BAAI/bge-small-en-v1.5",
    "import kubeai_notebook\nimport pandas as pd\n\n"
    'frame = pd.DataFrame({"text": ["a cat", "a kitten", "a car"]})\n'
    'kubeai_notebook.attach("bge").embed_column(frame, "text")',
    "%kubeai_delete corsair bge",
)
LOAD, CATALOG, SERVE, WHY, RESTART, CHAT, EMBEDDER, EMBED, DELETE = range(len(CELLS))
PIECE_BYTES = 4_000_000
WITHIN_MS = 60_000


class Deliveries:
    """What a registry sends for its next requests of a file, in turn; afterwards it sends files as they are."""

    def __init__(self, registry: Registry) -> None:
        self._whole = registry.files.answer
        self._next: list[Callable[[Answer], Answer]] = []
        self._let_through = threading.Semaphore(0)
        registry.files.answer = self._answer

    def cut(self, after_pieces: int, before_last: Callable[[], object] = lambda: None) -> None:
        """The next request gets so many pieces, each when it is `let` through; then the connection ends."""

        def pieces(content: bytes) -> Iterator[bytes]:
            for number in range(after_pieces):
                self._let_through.acquire()
                if number == after_pieces - 1:
                    before_last()
                yield content[number * PIECE_BYTES : (number + 1) * PIECE_BYTES]

        def begun(answer: Answer) -> Answer:
            content = bytes(answer.body)
            headers = {**answer.headers, "Content-Length": str(len(content))}
            return replace(answer, body=pieces(content), headers=headers)

        self._next.append(begun)

    def let(self, pieces: int) -> None:
        self._let_through.release(pieces)

    def damaged(self, count: int) -> None:
        """So many requests get a file with another last byte."""

        def other(answer: Answer) -> Answer:
            content = bytes(answer.body)
            return replace(answer, body=content[:-1] + bytes([content[-1] ^ 1]))

        self._next += [other] * count

    def _answer(self, request: Received) -> Answer | None:
        answer = self._whole(request)
        return self._next.pop(0)(answer) if answer and self._next else answer


@pytest.fixture
def registry(weights: Callable[[str], Path]) -> Iterator[Registry]:
    """Ollama's registry with SmolLM2 under a name that nobody ships."""
    with Registry() as registry:
        registry.add("library/corsair:135m", model=weights("ollama://smollm2:135m").read_bytes())
        yield registry


@pytest.fixture
def hub(weights: Callable[[str], Path]) -> Iterator[str]:
    """The hub with MiniLM under a name that nobody ships."""
    folder = weights("ollama://all-minilm")
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with HttpServer(Hub({"BAAI/bge-small-en-v1.5": files})) as server:
        yield server.address


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for one model."""
    with small_disk(tmp_path / "disk", size="150m") as place:
        yield place


@pytest.fixture(scope="module")
def toured(installation: Installation) -> None:
    """It has run `make demo`, which takes about half a minute; its daemon has stopped."""
    tour = (REPOSITORY / "notebooks" / name for name in ("run.py", "00_tour.ipynb"))
    assert "Paris" in installation.run("python", *map(str, tour))
    installation.run("kubeai-local", "stop")


@pytest.fixture
def laptop(installation: Installation, toured: None, registry: Registry, hub: str, disk: Path, no_models: None) -> None:
    """After the tour; its daemon keeps weights on the small disk, and finds registry and hub on loopback.

    The tour's own weights would leave no room there.
    """
    places = {"OLLAMA_REGISTRY": registry.address, "HF_ENDPOINT": hub, "HF_HOME": str(disk.parent / "hf")}
    installation.run("kubeai-local", "stop")
    installation.run("kubeai-local", "start", "--cache", str(disk / "cache"), **places)


def test_pulls_a_model_through_all_that_its_download_meets(
    laptop: None, registry: Registry, disk: Path, open_notebook: Callable[..., Notebook]
) -> None:
    from playwright.sync_api import expect

    notebook = begun(open_notebook)
    pulls_through_all_weather(notebook, registry, disk)
    expect(notebook.run_cell(CHAT)).to_contain_text(" Paris")
    reads_well_in_the_dark_and_narrow(notebook, notebook.output(SERVE).locator(".kubeai-card"))


def test_serves_two_models_beside_each_other_and_runs_all_cells_again(
    laptop: None, open_notebook: Callable[..., Notebook]
) -> None:
    from playwright.sync_api import expect

    notebook = begun(open_notebook)
    card = notebook.run_cell(SERVE).locator(".kubeai-card")
    tells(card, "Ready")
    embedder = notebook.run_cell(EMBEDDER).locator(".kubeai-card")
    tells(embedder, "Ready")
    expect(notebook.run_cell(EMBED).locator("tbody tr")).to_have_count(3)

    notebook.restart_and_run_all()
    tells(card, "was deleted later")
    expect(notebook.output(CHAT)).to_contain_text(" Paris")
    expect(notebook.output(EMBED).locator("tbody tr")).to_have_count(3)
    notebook.picture("first_hour_run_all")
    tells(notebook.output(DELETE), "corsair is deleted.*bge is deleted")


def begun(open_notebook: Callable[..., Notebook]) -> Notebook:
    """The notebook, in which the reader has looked what there is."""
    from playwright.sync_api import expect

    notebook = open_notebook(*CELLS)
    notebook.page.set_viewport_size({"width": 1200, "height": 1700})
    notebook.theme("Light")
    notebook.run_cell(LOAD)
    expect(notebook.run_cell(CATALOG)).to_contain_text("ollama://smollm2:135m")
    return notebook


def pulls_through_all_weather(notebook: Notebook, registry: Registry, disk: Path) -> None:
    """One pull: a full disk, slow, cut, full on the way, damaged; each is told in the cell and mended from there."""
    filler = disk / "filler"
    filler.write_bytes(bytes(90_000_000))
    refused = notebook.run_cell(SERVE)
    tells(refused, r"needs 98 MB on disk, and \d\d MB are free in .* Make room there")
    notebook.picture("first_hour_disk_full", refused)

    filler.unlink()
    deliveries = Deliveries(registry)
    deliveries.cut(8)
    deliveries.cut(8, before_last=lambda: filler.write_bytes(bytes(shutil.disk_usage(disk).free - 1_000_000)))
    # Once as what was missing, and three times whole: a Pod that fails for the first time is started again at once.
    deliveries.damaged(4)
    card = notebook.run_cell(SERVE).locator(".kubeai-card")
    deliveries.let(3)
    tells(card, "12 of 98 MB")
    deliveries.let(3)
    tells(card, r"24 of 98 MB, [\d.]+ MB/s, \d+ s left")
    notebook.picture("first_hour_pulling", card)
    deliveries.let(2)
    tells(card, "32 of 98 MB.* broke off after 32 MB and goes on")
    deliveries.let(3)
    tells(card, "44 of 98 MB")
    notebook.picture("first_hour_cut", card)

    deliveries.let(5)
    # How much is still to come depends on what else lies on that disk by then.
    tells(card, r'The weights of "corsair" need 3\d MB in .*Make room there; the download then goes on by itself')
    notebook.picture("first_hour_disk_fills", card)
    filler.unlink()
    tells(card, "arrived with another checksum.*%kubeai_restart corsair")
    notebook.picture("first_hour_damaged", card)
    tells(notebook.run_cell(WHY), "It may pass by itself.*%kubeai_restart corsair")
    tells(notebook.run_cell(RESTART).locator(".kubeai-card"), "Ready")
    tells(card, "Ready")
    notebook.picture("first_hour_ready", card)


def reads_well_in_the_dark_and_narrow(notebook: Notebook, card: Any) -> None:
    notebook.theme("Dark")
    notebook.picture("first_hour_dark")
    notebook.page.set_viewport_size({"width": 620, "height": 1700})
    assert card.evaluate("card => card.scrollWidth <= card.clientWidth")
    notebook.picture("first_hour_narrow")
    notebook.page.set_viewport_size({"width": 1200, "height": 1700})


def tells(part: Any, pattern: str) -> None:
    """Wait until a part of the page says this."""
    from playwright.sync_api import expect

    expect(part).to_contain_text(re.compile(pattern, re.DOTALL), timeout=WITHIN_MS)
