"""An embedding Model is tried: texts beside each other, a frame that is searched, a map and its lasso.

The Model is a real MiniLM. The 5,000 points of the map have vectors of numpy's, as five minutes of embedding would show
nothing more. The map is drawn by SwiftShader, Chromium's WebGL without a graphics card, which this test alone asks for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import CHROMIUM_FLAGS
from .test_accessibility import passes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

FLAGS = [
    *(flag for flag in CHROMIUM_FLAGS if flag != "--disable-gpu"),
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
SERVE = """
import numpy as np, pandas as pd
import kubeai_notebook
from kubeai_notebook.views.embedding_playground import embedding_playground
mini = kubeai_notebook.serve("ollama://all-minilm", name="mini", engine="OLlama", features=["TextEmbedding"], wait=True)
texts = ["The cat sleeps on the sofa.", "A kitten naps.", "Dogs bark at night.", "Interest rates rose again.",
         "The bank lends money.", "Stocks fell today.", "<b>Bread</b> needs flour.", "Soup simmers slowly."]
topics = ["pets"] * 3 + ["money"] * 3 + ["food"] * 2
frame = pd.DataFrame({"text": texts, "topic": topics}, index=list("abcdefgh"))
playground = embedding_playground(mini, frame, "text", color="topic")
"""
MAKE_MAP = """
numbers = np.random.default_rng(0)
group = numbers.integers(0, 3, 5000)
far = np.eye(8)[:3] * 10
vectors = (far[group] + numbers.normal(size=(5000, 8))).astype("float32")
big = pd.DataFrame({"text": [f"text {n}" for n in range(5000)], "group": [f"group {g}" for g in group]})
shown = mini.embedding_map(big, "text", color="group", vectors=vectors)
shown
"""
WHERE = "import json\nprint(json.dumps([shown.points[group == g].mean(axis=0).tolist() for g in range(3)]))"
# The room of the picture within its border, and what stands out of 400 pixels; the columns of a table that scrolls may.
MAP_WIDTH = "box => box.querySelector('.kubeai-map').clientWidth - 2"
TOO_WIDE = """box => [...box.querySelectorAll("*")].filter(node =>
  node.checkVisibility() && node.getBoundingClientRect().right > box.getBoundingClientRect().right + 1 &&
  node.parentElement.closest("table") === null).map(node => node.outerHTML.slice(0, 120))"""
SAME = """
by_hand = big[group == 1]
print(len(by_hand), shown.selection().equals(by_hand))
"""


def lasso(page: Any, canvas: Any, corners: Sequence[tuple[float, float]], *, steps: int = 8) -> None:
    """Draw a lasso by the mouse around these corners, in shares of the map's width and height, and hold the button."""
    box = canvas.bounding_box()
    spots = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*spots[0])
    page.mouse.down()
    for spot in [*spots[1:], spots[0]]:
        page.mouse.move(*spot, steps=steps)
        page.evaluate("() => new Promise(requestAnimationFrame)")


def around(point: Sequence[float], canvas: Any, half: float) -> list[tuple[float, float]]:
    """Corners around a point of the map: the whole map's height stands for 2.2, and x has the same scale."""
    box = canvas.bounding_box()
    scale = box["height"] / 2.2
    x, y = box["width"] / 2 + point[0] * scale, box["height"] / 2 - point[1] * scale
    reach = half * scale
    corners = [(x - reach, y - reach), (x + reach, y - reach), (x + reach, y + reach), (x - reach, y + reach)]
    return [(left / box["width"], top / box["height"]) for left, top in corners]


def table_of(part: Any) -> list[list[str]]:
    return [row.locator("th, td").all_inner_texts() for row in part.locator("tr").all()]


@pytest.fixture
def tried(open_notebook: Callable[..., Any], no_models: None) -> Any:
    """A notebook in which the Model is served and its playground is seen."""
    notebook = open_notebook(SERVE, "playground", "print(playground.selection().to_dict())", MAKE_MAP, WHERE, SAME)
    notebook.run_cell(0)
    return notebook


def test_tries_an_embedding_model_from_texts_to_rows(tried: Any) -> None:
    from playwright.sync_api import expect

    output = tried.run_cell(1)
    compares_texts(tried, output)
    searches_and_opens_the_map(tried, output)
    selects_by_lasso(tried)
    is_seen_in_a_saved_notebook(tried)
    expect(tried.page.locator(".kubeai-embedding")).to_have_count(0)


@pytest.mark.usefixtures("axe")
def test_has_an_embedding_playground_and_a_map_for_everybody(tried: Any) -> None:
    from playwright.sync_api import expect

    tried.page.set_viewport_size({"width": 1200, "height": 1800})
    output = tried.run_cell(1)
    press = tried.page.keyboard.press
    output.get_by_label("Texts to compare").focus()
    tried.page.keyboard.type("\n".join(f"A cat naps, {hour} o'clock." for hour in range(1, 9)))
    press("Tab")
    press("Enter")
    expect(output.locator(".kubeai-embedding-matrix tbody tr")).to_have_count(8)
    press("Tab")
    expect(output.locator(".kubeai-embedding-matrix")).to_be_focused()
    press("Tab")
    tried.page.keyboard.type("animals at home")
    press("Tab")
    press("Enter")
    expect(output.locator(".kubeai-embedding .kubeai-embedding-rows tbody tr")).to_have_count(8)
    press("Tab")
    press("Enter")
    expect(output.locator(".kubeai-map-plot[data-drawn]")).to_be_visible(timeout=30_000)
    select = output.get_by_label("Select the rows nearest to")
    select.focus()
    tried.page.keyboard.type("making bread")
    press("Tab")
    press("Enter")
    expect(output.locator(".kubeai-map-count")).to_contain_text("8 selected")
    passes(tried, output, "embedding")
    canvas = output.locator("canvas")
    whole = output.locator(".widget-vbox", has=tried.page.locator("canvas")).first
    whole.evaluate("node => { node.style.width = '400px' }")
    expect(canvas).to_have_js_property("clientWidth", whole.evaluate(MAP_WIDTH))
    assert whole.evaluate(TOO_WIDE) == []
    passes(tried, whole, "embedding_narrow")


def compares_texts(notebook: Any, output: Any) -> None:
    from playwright.sync_api import expect

    output.get_by_label("Texts to compare").fill("A cat naps.\nA kitten sleeps.\n<img src=x onerror=alert(1)>")
    output.get_by_role("button", name="Compare").press("Enter")
    matrix = output.locator(".kubeai-embedding-matrix")
    expect(matrix.locator("tbody tr")).to_have_count(3)
    cosines = [[float(cell) for cell in row[1:]] for row in table_of(matrix)[1:]]
    assert [row[place] for place, row in enumerate(cosines)] == [1.0, 1.0, 1.0]
    assert cosines[0][1] > cosines[0][2]
    assert cosines[0][1] == cosines[1][0]
    expect(output.locator("img")).to_have_count(0)


def searches_and_opens_the_map(notebook: Any, output: Any) -> None:
    from playwright.sync_api import expect

    field = output.get_by_label("Search 8 rows of column text")
    field.fill("animals at home")
    field.press("Enter")
    rows = output.locator(".kubeai-embedding .kubeai-embedding-rows")
    expect(rows.locator("tbody tr")).to_have_count(8)
    assert {row[0] for row in table_of(rows)[1:4]} == {"0", "1", "2"}
    notebook.picture("playground", output)
    output.get_by_role("button", name="Open the map").press("Enter")
    expect(output.locator(".kubeai-map-plot[data-drawn]")).to_be_visible(timeout=30_000)
    expect(output.locator(".kubeai-map-legend li")).to_have_text(["pets (3)", "money (3)", "food (2)"])
    select = output.get_by_label("Select the rows nearest to")
    select.fill("making bread")
    select.press("Enter")
    expect(output.locator(".kubeai-map-count")).to_contain_text("8 selected")
    first = output.locator(".kubeai-map .kubeai-embedding-rows tbody tr").first
    expect(first).to_contain_text("<b>Bread</b> needs flour.")
    expect(first.locator("b")).to_have_count(0)
    notebook.picture("playground_with_map", output)
    expect(notebook.run_cell(2)).to_contain_text("'g': 'food'")


def selects_by_lasso(notebook: Any) -> None:
    from playwright.sync_api import expect

    output = notebook.run_cell(3)
    canvas = output.locator("canvas")
    expect(output.locator(".kubeai-map-plot[data-drawn]")).to_be_visible()
    where = json.loads(notebook.text(4))
    canvas.scroll_into_view_if_needed()
    output.get_by_role("button", name="Lasso").click()
    lasso(notebook.page, canvas, around(where[1], canvas, 0.5))
    notebook.page.mouse.up()
    count = output.locator(".kubeai-map-count")
    expect(count).not_to_have_text("0 selected. In Python, selection() gives their rows.")
    notebook.picture("lasso", output)
    notebook.page.keyboard.press("Escape")  # leaves a cell's editor, and is pressed all the time
    many, is_equal = notebook.text(5).split()
    expect(count).to_contain_text(f"{int(many):,} selected")
    assert is_equal == "True"
    notebook.theme("Dark")
    notebook.picture("lasso_dark", output)
    seen = output.locator(".kubeai-map")
    seen.evaluate("map => { map.parentElement.style.width = '400px' }")
    expect(canvas).to_have_js_property("clientWidth", seen.evaluate("map => map.clientWidth") - 2)
    assert seen.evaluate("map => map.scrollWidth <= map.clientWidth")
    notebook.picture("narrow", seen)
    notebook.theme("Light")


def is_seen_in_a_saved_notebook(notebook: Any) -> None:
    from playwright.sync_api import expect

    notebook.command("docmanager:save")
    notebook.restart_kernel()
    notebook.reload()
    expect(notebook.output(1).locator(".kubeai-snapshot")).to_be_visible()
    expect(notebook.output(1).locator(".kubeai-snapshot")).to_contain_text("Embeddings by mini")
    expect(notebook.output(1).locator(".kubeai-snapshot")).to_contain_text("2. A kitten sleeps.")
    expect(notebook.output(3).locator(".kubeai-snapshot")).to_contain_text(
        "A map of 5,000 texts of column text by mini"
    )
    expect(notebook.output(3).locator(".kubeai-snapshot")).to_contain_text("rows were selected")
    notebook.picture("reopened")
