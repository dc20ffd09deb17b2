"""A streamed answer in JupyterLab: our playground beside ``ipywidgets.HTML``, ``Output`` and panel's ChatInterface.

``python benchmarks/streaming.py [compare|whole|gap|long|first]…``; the exit code is 1 when a bar is missed. Every
variant (the others stand in ``baselines/``) reads the same stream by the same Model, so that what a variant costs is
its CPU less that of reading alone: token by token, as the others do, and in bursts, as ours. The variants run by turns
and figures are medians of the rounds, since a machine that is busy otherwise changes the cost of each. The engine is a
script in this process: page, kernel and engine share a machine and so a clock. Needs Chromium. panel is measured where
it is installed beside our package; an environment of its own keeps the project's free of it.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screen import on_page
from serve import HERE, missed, row

sys.path.insert(0, str(HERE.parent))

from tests.support.fake_api import MODELS, PODS, FakeApi, kubeconfig, model, pod
from tests.support.scripted_gateway import CHUNKED, Exchange, chunk, scripted_gateway
from tests.support.talking import said

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.browser.notebook import Notebook

TOKENS, PACE = 2_000, 100
FAST_TOKENS, FAST_PACE = 8_000, 5_000
TURNS, FIRSTS, ROUNDS = 20, 20, 5
LONG_MS, REST_MS = 90_000, 2_000

START = """
%load_ext kubeai_notebook
%config KubeAI.context = "x"
%config KubeAI.kubeconfig = {config!r}
%config KubeAI.endpoint = {gateway!r}
import json, threading, time, ipywidgets, kubeai_notebook
from IPython.display import display
smol = kubeai_notebook.attach("smol")
question = [{{"role": "user", "content": "{pace} {tokens}"}}]
def cost_of(work):
    began = time.process_time()
    work()
    time.sleep(1.5)  # a snapshot of what is shown follows within a second
    print(json.dumps(time.process_time() - began))
def read(show):
    whole = ""
    for delta in smol.stream(question):
        whole += str(delta)
        show(str(delta), whole)
def read_bursts():
    for burst in smol.stream(question).bursts():
        pass
for delta in smol.stream([{{"role": "user", "content": "0 5"}}]):
    pass
"""
PLAY = "play = smol.playground()\nplay"
OURS = """
play = smol.playground(new=True)
display(play)
ended = threading.Event()
play.observe(lambda change: change.new["busy"] or ended.set(), "state")
def answered(prompt):
    ended.clear()
    play._playground.ask(prompt)
    ended.wait()
answered("0 5")
"""
RUN_OURS = f"""cost_of(lambda: answered("{PACE} {TOKENS}"))"""
READ = "def show(text, whole): pass"
RUN = "cost_of(lambda: read(show))"
RUN_BURSTS = "cost_of(read_bursts)"
# The page's tenth message of an answer is lost, as Jupyter's server loses one of too many.
LOSE = """
send, count = play.send, iter(range(10**9))
def lossy(*message):
    if next(count) != 10: send(*message)
play.send = lossy
"""
HISTORY = f"""
words = " ".join(f"**word{{n}}**" + ". " * (n % 40 == 39) + "\\n\\n" * (n % 200 == 199) for n in range({TOKENS}))
turns = [{{"role": role, "content": words}} for _ in range({TURNS}) for role in ("user", "assistant")]
play.messages = turns
"""
# When the newest answer first has a text, and the frame after it has been drawn.
WATCH = """play => {
  const before = play.querySelectorAll(".kubeai-playground-answer").length;
  window.seen = undefined;
  const watch = new MutationObserver(() => {
    const answers = play.querySelectorAll(".kubeai-playground-answer");
    const newest = answers[answers.length - 1]?.querySelector(".kubeai-markdown");
    if (answers.length === before || !newest?.textContent) return;
    watch.disconnect();
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => { window.seen = Date.now(); };
      port2.postMessage(0);
    });
  });
  watch.observe(play, { childList: true, characterData: true, subtree: true });
}"""


def words(count: int) -> list[str]:
    """The tokens of an answer, some five letters each as a model's are, with a paragraph now and then."""
    return [f"w{number:x}" + ("\n\n" if number % 50 == 49 else " ") for number in range(count)]


class Engine:
    """Says as many tokens at such a pace as the prompt asks for, "PACE COUNT"; pace 0 is at once."""

    def __init__(self) -> None:
        self.first_ms: list[float] = []
        """When the first token of each answer left, on the wall clock."""

    def answer(self, exchange: Exchange) -> None:
        pace, count = map(int, json.loads(exchange.body)["messages"][-1]["content"].split())
        head, *pieces = [part + b"\n\n" for part in said(*words(count)).split(b"\n\n")[:-1]]
        exchange.say(CHUNKED + chunk(head))
        began = time.perf_counter()
        self.first_ms.append(1_000 * time.time())
        for number, piece in enumerate(pieces):
            if pace and (wait := began + number / pace - time.perf_counter()) > 0:
                time.sleep(wait)
            exchange.say(chunk(piece))
        exchange.say(chunk(b""))


def main(wanted: Sequence[str]) -> int:
    """Print the figures; 1 when one is over its bar."""
    parts: dict[str, tuple[tuple[str, ...], Callable[[Notebook, Engine], None]]] = {
        "compare": (tuple(itertools.chain(*variants().values())), compare),
        "whole": ((PLAY,), arrives_whole),
        "gap": ((PLAY, LOSE), arrives_after_a_gap),
        "long": ((PLAY, HISTORY), long_history),
        "first": ((PLAY,), first_token),
    }
    for name in wanted or parts:
        engine, (cells, work) = Engine(), parts[name]
        with (
            tempfile.TemporaryDirectory() as home,
            FakeApi().in_thread() as api,
            scripted_gateway(engine.answer) as gateway,
        ):
            api.put(MODELS, model("smol", features=["TextGeneration"]))
            api.put(PODS, pod("model-smol-1", "smol"))
            config = str(kubeconfig(api, Path(home)))
            start = START.format(config=config, gateway=gateway.url, pace=PACE, tokens=TOKENS)
            on_page(Path(home), (start, *cells), functools.partial(work_in, work=work, engine=engine))
    sys.stdout.write(f"load: {', '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} processors\n")
    return int(bool(missed))


def work_in(notebook: Notebook, *, work: Callable[[Notebook, Engine], None], engine: Engine) -> None:
    notebook.run_cell(0)
    work(notebook, engine)


def compare(notebook: Notebook, _engine: Engine) -> None:
    """Bytes over the websocket and the kernel's CPU, by turns: an answer takes 20 seconds."""
    sizes: list[int] = []
    notebook.page.on("websocket", lambda socket: socket.on("framereceived", lambda data: sizes.append(len(data))))
    notebook.reload()
    notebook.run_cell(0)
    costs: dict[str, list[float]] = {name: [] for name in variants()}
    megabytes = {name: list(costs[name]) for name in costs}
    for _ in range(ROUNDS):
        for number, name in enumerate(costs):
            notebook.run_cell(1 + 2 * number)
            notebook.page.wait_for_timeout(REST_MS)
            sizes.clear()
            notebook.run_cell(2 + 2 * number)
            notebook.page.wait_for_timeout(REST_MS)
            printed = notebook.cell(2 + 2 * number).locator("pre").last.inner_text()
            costs[name].append(float(printed.strip().splitlines()[-1]))
            megabytes[name].append(sum(sizes) / 1e6)
    reading, bursts = costs.pop("reading"), costs.pop("bursts")
    beyond = {
        name: statistics.median(map(float.__sub__, seconds, bursts if name == "ours" else reading))
        for name, seconds in costs.items()
    }
    told = ", ".join(
        f"{name} {seconds:.2f} s {statistics.median(megabytes[name]):.2f} MB" for name, seconds in beyond.items()
    )
    alone = f"{statistics.median(reading):.2f} s, in bursts {statistics.median(bursts):.2f} s"
    sys.stdout.write(f"CPU beyond reading ({alone}), and bytes: {told}\n")
    bytes_ours, html = statistics.median(megabytes["ours"]), beyond["HTML"]
    row(f"{TOKENS} tokens at {PACE}/s, bytes to the page", bytes_ours, "MB", bar=0.25, beside="")
    row("our own CPU: with the widget less without", beyond["ours"], "s", bar=0.15, beside="")
    row("our CPU / that of HTML.value", beyond["ours"] / html, "", bar=0.25, beside=f"HTML {html:.2f} s")


def variants() -> dict[str, tuple[str, str]]:
    """The cells of each: one that shows it, and one that is measured."""
    names = ["HTML", "Output", *["panel"] * (importlib.util.find_spec("panel") is not None)]
    baselines = {name: (HERE / "baselines" / f"stream_{name.lower()}.py").read_text() for name in names}
    others = {name: (source, RUN) for name, source in baselines.items()}
    return {"reading": (READ, RUN), "bursts": (READ, RUN_BURSTS), "ours": (OURS, RUN_OURS), **others}


def arrives_whole(notebook: Notebook, _engine: Engine) -> None:
    """Fast tokens are complete and in order."""
    play = notebook.run_cell(1).locator(".kubeai-playground")
    row_of_a_fast_answer(notebook, play, "complete")


def arrives_after_a_gap(notebook: Notebook, _engine: Engine) -> None:
    """The same where a message to the page was lost."""
    play = notebook.run_cell(1).locator(".kubeai-playground")
    notebook.run_cell(2)
    row_of_a_fast_answer(notebook, play, "a message lost")


def row_of_a_fast_answer(notebook: Notebook, play: Any, what: str) -> None:
    """How many words are not as the engine said them."""
    ends(ask(play, f"{FAST_PACE} {FAST_TOKENS}"))
    notebook.page.wait_for_timeout(2_000)  # a page that misses a message asks for the whole
    # What is scrolled out of view is not drawn, and has no inner text.
    blocks = play.locator(".kubeai-playground-answer .kubeai-markdown").last.locator("> *").all_text_contents()
    shown = " ".join(blocks).split()
    wrong = sum(map(str.__ne__, shown, words_of(FAST_TOKENS))) + abs(len(shown) - FAST_TOKENS)
    row(f"{FAST_TOKENS} at {FAST_PACE}/s, {what}: words wrong", float(wrong), "", bar=0.0, beside="")


def long_history(notebook: Notebook, _engine: Engine) -> None:
    """No task with our frames takes long, with a long dialogue above the answer."""
    play = notebook.run_cell(1).locator(".kubeai-playground")
    notebook.run_cell(2)
    from playwright.sync_api import expect

    expect(play.locator(".kubeai-playground-exchange")).to_have_count(TURNS, timeout=LONG_MS)
    notebook.page.wait_for_timeout(2_000)
    profiler = notebook.page.context.new_cdp_session(notebook.page)
    profiler.send("Profiler.enable")
    profiler.send("Profiler.setSamplingInterval", {"interval": 1_000})
    profiler.send("Profiler.start")
    ends(ask(play, f"{PACE} {TOKENS}"))
    tasks = tasks_of(profiler.send("Profiler.stop")["profile"])
    row(
        f"longest task of ours, {TURNS} turns above",
        max(tasks, default=0.0),
        "ms",
        bar=100.0,
        beside=f"{len(tasks)} tasks",
    )


def tasks_of(profile: dict[str, Any]) -> list[float]:
    """Milliseconds of each stretch of work in which a function of our modules ran; the page rested before and after."""
    nodes = {node["id"]: node for node in profile["nodes"]}
    ours = {node["id"] for node in profile["nodes"] if node["callFrame"]["url"].startswith("blob:")}
    for node in profile["nodes"]:  # a parent comes before its children
        if node["id"] in ours:
            ours.update(node.get("children", ()))
    tasks, length, is_ours = [], 0.0, False
    for sample, micros in zip(profile["samples"], profile["timeDeltas"], strict=True):
        if nodes[sample]["callFrame"]["functionName"] in ("(idle)", "(program)"):
            tasks += [length] * is_ours
            length, is_ours = 0.0, False
        else:
            length, is_ours = length + micros / 1_000, is_ours or sample in ours
    return tasks


def first_token(notebook: Notebook, engine: Engine) -> None:
    """From the engine to the screen."""
    play = notebook.run_cell(1).locator(".kubeai-playground")
    ends(ask(play, "0 5"))
    took = []
    for _ in range(FIRSTS):
        play.evaluate(WATCH)
        engine.first_ms.clear()
        answer = ask(play, "20 10")
        seen = notebook.page.wait_for_function("() => window.seen", polling=50).json_value()
        took.append(seen - engine.first_ms[0])
        ends(answer)
    row(
        f"first token → screen, median of {FIRSTS}",
        statistics.median(took),
        "ms",
        bar=60.0,
        beside=f"least {min(took):.0f}",
    )


def words_of(count: int) -> list[str]:
    return [word.strip() for word in words(count)]


def ask(play: Any, prompt: str) -> Any:
    """Ask, and return the answer as it will be when it has ended.

    By selectors of CSS: to look for a role, Playwright reads the names of all elements, and the page waits meanwhile.
    """
    exchanges = play.locator(".kubeai-playground-exchange").count()
    text = play.get_by_label("Prompt", exact=True)
    text.fill(prompt)
    text.press("Enter")
    return play.locator(
        f".kubeai-playground-exchange:nth-child({exchanges + 1}) .kubeai-playground-answer[data-state=done]"
    )


def ends(answer: Any) -> None:
    answer.wait_for(state="attached", timeout=LONG_MS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
