import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import ipywidgets
import pytest

import kubeai_notebook
from kubeai_notebook.errors import LocalError, UsageError
from kubeai_notebook.present.card import card_of
from kubeai_notebook.present.snapshot import text_of
from kubeai_notebook.views.beside import KEPT_SNAPSHOTS, Snapshots
from kubeai_notebook.views.static_files import static_text
from kubeai_notebook.views.status_card import StatusCard
from tests.support.views import view_in
from tests.support.waiting import until

LABEXTENSION = Path(__file__).parents[2] / "labextension"
CARD = card_of(view_in("Loading"), namespace="default")


def test_says_how_to_build_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=re.escape("pip install -e .")):
        static_text("status_card.js", tmp_path)


@pytest.mark.usefixtures("built")
def test_carries_what_was_built_and_the_card() -> None:
    card = StatusCard(CARD)
    assert "render" in card._bundle
    assert ".kubeai-card" in card._css
    assert card.card["phase"] == "Loading"
    card.update(CARD.model_copy(update={"phase": "Ready"}))
    assert card.card["phase"] == "Ready"


@pytest.mark.usefixtures("built")
def test_sends_the_time_at_which_it_sends() -> None:
    before = time.time()
    sent = StatusCard(CARD).get_state("card")["card"]
    assert before <= sent["sent_at_seconds"] <= time.time()
    assert sent["phase"] == "Loading"


@pytest.mark.usefixtures("built")
def test_leaves_text_and_html_for_those_who_have_no_widgets() -> None:
    data, _ = StatusCard(CARD)._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= data.keys()
    assert "smol (on this machine) Loading" in data["text/plain"]


@pytest.mark.usefixtures("built")
def test_keeps_the_snapshots_of_the_last_few_cells_up_to_date() -> None:
    class Handle:
        shown = ""

        def update(self, still: dict[str, str]) -> None:
            self.shown = still["text/plain"]

    card = StatusCard(CARD)
    handles = [Handle() for _ in range(KEPT_SNAPSHOTS + 1)]
    for handle in handles:
        card._snapshots._outputs.append(handle.update)
    card.update(CARD.model_copy(update={"progress": 0.5}))
    assert [handle.shown for handle in handles] == [""] * len(handles)
    card.update(CARD.model_copy(update={"phase": "Ready"}))
    assert ["Ready" in handle.shown for handle in handles] == [False] + [True] * KEPT_SNAPSHOTS


class Opened(ipywidgets.Label):  # type: ignore[misc]  # ipywidgets has no types
    """What a card opens: a widget with snapshots."""

    def __init__(self) -> None:
        super().__init__()
        self.says = "You: Hi"
        self.snapshots = Snapshots(self.still)

    def still(self) -> dict[str, str]:
        return {"text/plain": self.says, "text/html": f"<p>{self.says}</p>"}


@pytest.mark.usefixtures("built")
def test_shows_what_it_opens_below_it_and_in_the_saved_notebook() -> None:
    card, opened, stills = StatusCard(CARD), Opened(), [""]
    card._snapshots.add(lambda still: stills.append(still["text/plain"]))
    assert card.box.children == (card,)
    assert card.toggle_below(lambda: opened)
    assert card.box.children == (card, opened)
    assert until(lambda: stills[-1].endswith("You: Hi"))
    assert stills[-1].startswith(text_of(CARD)[:20])
    opened.says = "smol: Ho"
    opened.snapshots.renew()
    assert until(lambda: stills[-1].endswith("smol: Ho"))
    assert not card.toggle_below(lambda: opened)
    assert card.box.children == (card,)
    assert until(lambda: "smol: Ho" not in stills[-1])
    opened.snapshots.renew()
    opened.snapshots.close()
    card.close()
    assert "smol: Ho" not in stills[-1]


@pytest.mark.usefixtures("built")
def test_hears_no_more_of_what_it_has_opened_once_it_is_closed() -> None:
    card, opened = StatusCard(CARD), Opened()
    assert card.box
    card.toggle_below(lambda: opened)
    card.close()
    opened.says = "smol: Ho"
    opened.snapshots.renew()
    opened.snapshots.close()
    assert "smol: Ho" not in card._below_still["text/plain"]


@pytest.mark.usefixtures("built")
def test_says_where_it_has_no_room_below_it() -> None:
    with pytest.raises(UsageError, match="no room below"):
        StatusCard(CARD).toggle_below(Opened)


@pytest.mark.parametrize("name", ["status_card.js", "status_card.css", "models_table.js", "models_table.css"])
def test_stays_small(built: Callable[[str], int], name: str) -> None:
    assert built(name) < 30_000


def test_has_one_version_in_python_and_in_jupyterlab() -> None:
    assert json.loads((LABEXTENSION / "package.json").read_text())["version"] == kubeai_notebook.__version__
