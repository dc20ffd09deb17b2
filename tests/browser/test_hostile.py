"""All hostile texts in a real JupyterLab, saved, opened again, and as the page that nbconvert makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.hostile import hostile
from tests.support.hostile_world import TALKS, Engine, hostile_cluster
from tests.support.http_server import HttpServer
from tests.support.wheel import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Lab
    from .installation import Installation
    from .notebook import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

TOGETHER = 12  # JupyterLab shows 50 outputs of a cell
LOAD, ANSWERS, CARDS, TABLE, WHYS, ERRORS, ORDINARY = range(7)
SHOW = """
def show(count, *cells):
    for number in range(count):
        for cell in cells:
            get_ipython().run_cell(cell.replace("|", "\\n") + (str(number) if count > 1 else ""))
"""
# Links that are followed, elements that run, fetch or ask, and attributes that act; icons, buttons and folded parts of
# cards and tables are ours, and MathJax draws formulas with elements of its own.
FOUND = """root => {
  const seen = [];
  const OURS = ":is(.kubeai-card, .kubeai-models) :is(svg, .kubeai-button), " +
    ".kubeai-snapshot > div > .kubeai-reconnect, .jp-OutputArea-promptOverlay, .jp-OutputPrompt";
  const ACTIVE = new Set(("script iframe frame img picture video audio source embed object form input button " +
    "textarea link meta base svg template marquee dialog details").split(" "));
  const ADDRESSES = new Set("src srcset srcdoc action formaction poster background xlink:href".split(" "));
  for (const area of root.querySelectorAll(".jp-OutputArea, .jp-OutputArea-output")) {
    for (const node of area.querySelectorAll("*")) {
      if (node.matches(".kubeai-card > .kubeai-card-details") || node.closest(OURS)) continue;
      const tag = node.localName;
      const box = tag === "input" && node.type === "checkbox" && node.disabled;
      if (ACTIVE.has(tag) && !box) seen.push(`<${tag}> ${node.parentElement.outerHTML.slice(0, 200)}`);
      if (tag === "style" && !node.hasAttribute("scoped")) seen.push("<style>");
      for (const { name, value } of node.attributes) {
        const fetches = name === "style" && value.includes("url(");
        if (fetches || /^on|^data-(commandlinker|trust)/.test(name) || ADDRESSES.has(name)) {
          seen.push(`${tag} ${name}=${value}`);
        }
      }
      // JupyterLab itself makes links of words like x://y in plain text; see the clicks below.
      const href = node.getAttribute("href");
      if (href !== null && !node.closest("pre") && !/^(https?:|mailto:|#)/.test(href)) seen.push(`${tag} href=${href}`);
    }
  }
  return [...new Set(seen)];
}"""


@pytest.fixture
def sink() -> Iterator[HttpServer]:
    """A server that nobody has a reason to ask."""
    with HttpServer(lambda _request: None) as sink:
        yield sink


@pytest.fixture
def cells(sink: HttpServer, tmp_path: Path) -> Iterator[list[str]]:
    """The notebook's cells, in the order of their names above."""
    small = [one.text for one in hostile(sink.port) if one.where != "size"]
    texts = ["\n\n".join(small[begin : begin + TOGETHER]) for begin in range(0, len(small), TOGETHER)]
    ordinary = (REPOSITORY / "tests" / "golden" / "ordinary.md").read_text(encoding="utf-8")
    more = {f"group-{number}": text for number, text in enumerate(texts)} | {"ordinary": ordinary}
    engine = Engine(sink.port, more)
    count = len(texts)
    with hostile_cluster(tmp_path, texts) as kubeconfig:
        settings = f"""
%load_ext kubeai_notebook
%config KubeAI.context = "x"
%config KubeAI.kubeconfig = {str(kubeconfig)!r}
%config KubeAI.endpoint = {engine.address!r}
"""
        yield [
            settings + SHOW,
            f"show({count}, '%%kubeai_chat {TALKS}|say group-')",
            f"show(1, '%kubeai_models')\nshow({count}, '%kubeai_status m')",
            "%kubeai_models --live",
            f"show({count}, '%kubeai_why m', '%kubeai_logs m')",
            f"show({count}, '%%kubeai_chat {TALKS}|fail group-')",
            f"%%kubeai_chat {TALKS}\nsay ordinary",
        ]
    engine.stop()


def test_shows_hostile_words_and_nothing_else_happens(
    open_notebook: Callable[..., Any], cells: list[str], sink: HttpServer
) -> None:
    notebook = shown(open_notebook(*cells))
    notebook.picture("ordinary", notebook.output(ORDINARY))
    notebook.picture("answers", notebook.output(ANSWERS))
    notebook.picture("cards", notebook.output(CARDS))
    notebook.picture("whys", notebook.output(WHYS))
    unfold_and_ask(notebook)
    notebook.picture("cards_unfolded", notebook.output(CARDS).locator(".kubeai-card").nth(3))
    notebook.picture("table", notebook.output(TABLE).locator(".kubeai-models"))
    nothing_happened(notebook.page, sink)
    clicks_run_nothing(notebook.page, sink)


def test_shows_hostile_words_of_a_saved_notebook_and_nothing_else_happens(
    open_notebook: Callable[..., Any], cells: list[str], sink: HttpServer, lab: Lab, installation: Installation
) -> None:
    from playwright.sync_api import expect

    notebook = shown(open_notebook(*cells))
    page = notebook.page
    unfold_and_ask(notebook)
    notebook.command("docmanager:save")
    notebook.shut_down_kernel()
    # Now there is nobody to ask, which is no error of the page.
    table = notebook.output(TABLE).locator(".kubeai-models")
    expect(table).to_contain_text("No longer followed")
    expect(table.get_by_role("button", name="Delete m1 …", exact=True)).to_be_disabled()
    notebook.reload()
    expect(notebook.output(ORDINARY).locator("mjx-container").first).to_be_visible()
    nothing_happened(page, sink)

    name = page.evaluate("() => jupyterapp.shell.currentWidget.context.path")
    installation.run("jupyter-nbconvert", "--to", "html", str(lab.root / name))
    # What the page itself wants of the network (MathJax) is not there.
    page.route(lambda url: not url.startswith(("file:", "http://127.0.0.1")), lambda route: route.abort())
    page.goto((lab.root / name).with_suffix(".html").as_uri())
    expect(page.get_by_text("Sorting, in short").first).to_be_visible()
    nothing_happened(page, sink)
    notebook.picture("nbconvert", page.locator(".jp-OutputArea").last)


def test_shows_many_cards_on_a_slow_computer_and_each_hears_its_kernel(
    open_notebook: Callable[..., Any], cells: list[str]
) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(*cells)
    notebook.run_cell(0)
    browser = notebook.page.context.new_cdp_session(notebook.page)
    browser.send("Emulation.setCPUThrottlingRate", {"rate": 20})
    notebook.run_cell(CARDS, wait=False)
    # Longer than anywidget waits for a widget.
    notebook.page.wait_for_timeout(8_000)
    browser.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    prompt = notebook.cell(CARDS).locator(".jp-InputArea-prompt")
    expect(prompt).not_to_contain_text("*", timeout=60_000)
    expect(notebook.output(CARDS).locator(".kubeai-card").nth(15)).to_be_attached()
    unfold(notebook)


def shown(notebook: Notebook) -> Notebook:
    """The notebook with each of its cells run, and what they show drawn."""
    from playwright.sync_api import expect

    notebook.theme("Light")
    for index in range(ORDINARY + 1):
        notebook.run_cell(index)
    expect(notebook.output(ANSWERS).locator(".jp-RenderedMarkdown").nth(15)).to_be_attached()
    expect(notebook.output(CARDS).locator(".kubeai-card").nth(15)).to_be_attached()
    looks_ordinary(notebook.output(ORDINARY))
    return notebook


def looks_ordinary(output: Any) -> None:
    """What an ordinary answer is made of, drawn as such."""
    from playwright.sync_api import expect

    # Formulas are drawn one after the other, a while after the text.
    expect(output.locator("mjx-container")).to_have_count(4)
    expect(output.locator("mjx-container[display=true]")).to_have_count(1)
    for selector, words in {
        "h1": "Sorting, in short",
        "strong": "Quicksort",
        "em": "about",
        "del": "always",
        "a[href='https://docs.python.org/3/howto/sorting.html?a=1&b=2']": "documentation",
        "p code": "a < b",
        "pre code": "if len(items) < 2",
        "td code": "x < pivot",
        "blockquote strong": "weight",
        "p:last-of-type": "It costs $5 or $6, R&D included, 3 < 4 > 2.",
        "li code": "#include <vector>",
    }.items():
        assert words in "\n".join(output.locator(selector).all_inner_texts()), selector
    assert output.locator("hr").count() == 1
    assert output.locator("mjx-merror").count() == 0


def unfold(notebook: Notebook) -> None:
    """Show Events and log of each card."""
    from playwright.sync_api import expect

    cards = notebook.output(CARDS).locator(".kubeai-card")
    for card in cards.all():
        card.locator("summary").click()
    # A card whose log could not be read at once asks again after four seconds.
    expect(cards.locator(".kubeai-card-log:visible")).to_have_count(cards.count())


def unfold_and_ask(notebook: Notebook) -> None:
    """Events and log of each card, and what goes with a Model of the table."""
    from playwright.sync_api import expect

    unfold(notebook)
    table = notebook.output(TABLE).locator(".kubeai-models")
    table.get_by_role("button", name="Delete m0").click()
    expect(table.locator(".kubeai-panel")).to_contain_text("Really delete m0?")


def nothing_happened(page: Any, sink: HttpServer) -> None:
    for frame in page.frames:
        assert frame.evaluate("window.__owned") is None
    assert page.locator("body").evaluate(FOUND) == []
    assert sink.received == []


def clicks_run_nothing(page: Any, sink: HttpServer) -> None:
    """JupyterLab makes links of words in plain text; whoever follows one to a script gets no script."""
    links = page.locator(".jp-OutputArea pre a")
    odd = [
        number
        for number, href in enumerate(links.evaluate_all("links => links.map(link => link.getAttribute('href') ?? '')"))
        if href.startswith("javascript:")
    ]
    for number in odd[:2]:
        links.nth(number).dispatch_event("click")
    assert page.evaluate("window.__owned") is None
    for other in page.context.pages:
        assert other.evaluate("window.__owned") is None
        if other != page:
            other.close()
    assert sink.received == []
