"""Every hostile text on every face of a notebook, seen as the kernel sends it and as nbconvert draws it.

The texts are a Model's answers, an engine's errors, and all that a cluster says of a Model: urls, profiles,
messages of Pods, Events and logs.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel
from kubernetes.client import Configuration
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.session.session import Session
from tests.support.attack import rounds
from tests.support.daemon import Daemon, scripted_options
from tests.support.fake_api import MODELS, FakeApi, model
from tests.support.hostile import acting, hostile, live
from tests.support.hostile_world import TALKS, Engine, hostile_cluster
from tests.support.kernel import messages_of
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = [one for one in hostile() if one.where != "size"]
# So many texts stand in one Model's log; each in its own at full length.
TOGETHER = rounds(full=1, short=9)
GROUPS = [SMALL[begin : begin + TOGETHER] for begin in range(0, len(SMALL), TOGETHER)]
TEXTS = ["\n\n".join(one.text for one in group) for group in GROUPS]
LOAD = """
%load_ext kubeai_notebook
%config KubeAI.context = "x"
"""
# IPython colours the name of an error; the words behind it are ours.
PANDAS_STYLE = re.compile(r"<style scoped>[^<]*</style>")
RECONNECT = '<button type="button" class="kubeai-reconnect" style="display:none">Reconnect</button>'
"""A snapshot's own; once, and as these very characters."""
OWN_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
DEADLINE_SECONDS = 90
MANY = rounds(full=20_000, short=1000)


class Kernel:
    """A kernel that has the extension, and gives all that a cell shows."""

    def __init__(self, kubeconfig: Path, gateway: str) -> None:
        self.manager, self.client = start_new_kernel(extra_arguments=["--log-level=ERROR"])
        place = f"%config KubeAI.kubeconfig = {str(kubeconfig)!r}\n%config KubeAI.endpoint = {gateway!r}\n"
        assert self.run(LOAD + place) == []

    def run(self, code: str) -> list[dict[str, str]]:
        """The mime bundles that a cell shows, displays as last updated."""
        return self.shown(self.client.execute(code))

    def shown(self, request: str) -> list[dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for message in messages_of(self.client, request, seconds=DEADLINE_SECONDS):
            content = message["content"]
            key = content.get("transient", {}).get("display_id") or str(len(found))
            if "data" in content and "metadata" in content:
                found[key] = {kind: _text(value) for kind, value in content["data"].items()}
            elif "traceback" in content:
                found[key] = {"error": OWN_COLOURS.sub("", "\n".join(content["traceback"]))}
            elif message["msg_type"] == "stream":
                found[key] = {"stream": content["text"]}
            elif message["msg_type"] in ("comm_open", "comm_msg"):
                found[key] = {"widget": json.dumps(content["data"], ensure_ascii=False)}
        return list(found.values())

    def end(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@pytest.fixture(scope="module")
def kernel(own_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    engine = Engine(more={f"group-{number}": text for number, text in enumerate(TEXTS)})
    with hostile_cluster(tmp_path_factory.mktemp("cluster"), TEXTS) as kubeconfig:
        running = Kernel(kubeconfig, engine.address)
        yield running
        running.end()
    engine.stop()


def harm(bundles: list[dict[str, str]]) -> list[str]:
    """What these outputs do beyond showing words."""
    found = []
    for bundle in bundles:
        for kind, text in bundle.items():
            found += [f"{kind}: {one}" for one in acting(text)]
            if kind == "text/html":
                found += live(PANDAS_STYLE.sub("", text.replace(RECONNECT, "", 1)))
                # A formula in HTML is drawn, too, unless its element says that it is none.
                found += [] if "mathjax_ignore" in text and "tex2jax_ignore" in text else ["formulas"]
            if kind == "text/markdown":
                found += live(markdown2html_mistune(text))
    return found


def cells(*lines: str) -> str:
    """Several cells in one: a mistake in one does not keep the others from running."""
    return f"for cell in {list(lines)!r}:\n    get_ipython().run_cell(cell)"


@pytest.mark.finding("C1")
def test_shows_a_hostile_answer_as_words(kernel: Kernel) -> None:
    shown = kernel.run(cells(*(f"%%kubeai_chat {TALKS}\nsay group-{number}" for number in range(len(TEXTS)))))
    answers = [bundle for bundle in shown if "text/markdown" in bundle]
    assert len(answers) == len(TEXTS)
    assert harm(answers) == []


@pytest.mark.finding("C1")
def test_keeps_the_models_words_in_the_variable(kernel: Kernel) -> None:
    shown = kernel.run(f"%%kubeai_chat {TALKS} -o answer\nsay script")
    (answer,) = (bundle["text/markdown"] for bundle in shown if "text/markdown" in bundle)
    assert "<script" not in answer
    (value,) = kernel.run("str(answer)")
    assert value["text/plain"] == repr(next(one.text for one in SMALL if one.id == "script"))


@pytest.mark.finding("L1")
@pytest.mark.parametrize("name", ["surrogate-high", "surrogate-low", "surrogate-html"])
def test_shows_something_of_a_text_that_cannot_be_encoded(kernel: Kernel, name: str) -> None:
    for verb in ("say", "fail"):
        shown = kernel.run(f"%%kubeai_chat {TALKS}\n{verb} {name}")
        assert shown, verb
        assert harm(shown) == []
        assert not any("Traceback" in text for bundle in shown for text in bundle.values())


@pytest.mark.finding("M7")
def test_shows_an_engines_error_in_plain_words(kernel: Kernel) -> None:
    shown = kernel.run(cells(*(f"%%kubeai_chat {TALKS}\nfail group-{number}" for number in range(len(TEXTS)))))
    assert len(shown) >= len(TEXTS)
    assert harm(shown) == []


@pytest.mark.finding("M7")
def test_bounds_what_is_saved_of_a_huge_answer_and_of_a_huge_error(kernel: Kernel) -> None:
    for verb in ("say", "fail"):
        shown = kernel.run(f"%%kubeai_chat {TALKS}\n{verb} huge")
        assert sum(len(text) for bundle in shown for text in bundle.values()) < 1_000_000


@pytest.mark.finding("M7")
@pytest.mark.parametrize(
    "line",
    [
        "%kubeai_why m{}", "%kubeai_status m{}", "%kubeai_status m{} --follow", "%kubeai_logs m{}", "%kubeai_yaml m{}",
        "%kubeai_delete m{} --dry-run", "%kubeai_delete m{}",
        "%kubeai_serve m{} --url ollama://x --dry-run", "%kubeai_why m{} --fix 1 --dry-run", "%kubeai_restart m{}",
    ],
)  # fmt: skip
def test_shows_what_a_cluster_says_in_plain_words(kernel: Kernel, line: str) -> None:
    shown = kernel.run(cells(*(line.format(number) for number in range(len(TEXTS)))))
    assert shown
    assert harm(shown) == []


@pytest.mark.finding("M7")
def test_shows_tables_reports_and_handles_in_plain_words(kernel: Kernel) -> None:
    kernel.run(f"import kubeai_notebook\nfound = [kubeai_notebook.attach(f'm{{n}}') for n in range({len(TEXTS)})]")
    lines = ["%kubeai_models", "df = %kubeai_models\ndf['profile']", "list(df['features'])", "%kubeai_doctor"]
    lines += ["kubeai_notebook.attach('m0')", "[repr(one) for one in found]"]
    for expression in ("print(one.report())", "display(one.events())", "print(one.events().to_string())", "print(one)"):
        lines.append(f"for one in found:\n    {expression}")
    shown = kernel.run(cells(*lines))
    assert len(shown) >= len(lines)
    assert harm(shown) == []


@pytest.mark.finding("M7")
def test_follows_a_log_in_plain_words(kernel: Kernel) -> None:
    request = kernel.client.execute(f"%kubeai_logs {TALKS} --follow --tail 100000")
    while (message := kernel.client.get_iopub_msg(timeout=DEADLINE_SECONDS))["msg_type"] != "stream":
        pass
    kernel.manager.interrupt_kernel()
    shown = [{"stream": message["content"]["text"]}, *kernel.shown(request)]
    assert "Stopped looking at the log" in str(shown)
    assert harm(shown) == []


@pytest.mark.finding("L12")
def test_cuts_the_table_of_very_many_models_and_says_how_many_there_are() -> None:
    with FakeApi.empty().in_thread() as api:
        for number in range(MANY):
            api.put(MODELS, model(f"m{number}"))
        session = Session()
        session._parts["cluster"] = Cluster(Api(Configuration(host=api.url)), "default")
        table = session.models()
        session.close()
    assert len(table) == MANY
    assert len(table._repr_html_()) < 30_000
    assert f"{MANY} rows" in table._repr_html_()
    assert len(repr(table)) < 10_000
    assert f"{MANY} rows" in repr(table)
    assert len(table.head(20)._repr_html_().split("<tr")) > 20


@pytest.mark.finding("M7")
def test_shows_a_log_in_plain_words_in_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_environment: None
) -> None:
    log = "\n".join(one.text for one in SMALL).encode("utf-8", "replace").decode()
    (tmp_path / "m.json").write_text(json.dumps({"text": log, "serves": True, "while": "True"}))
    daemon = Daemon(tmp_path / "home", *scripted_options(tmp_path), KUBEAI_LOCAL_TESTING="1")
    daemon.start()
    try:
        daemon.create("m", url="ollama://scripted", env={"FAULTS": str(tmp_path)})
        until(lambda: "json" in daemon.command("logs", "m").stdout, 60)
        assert acting(daemon.command("logs", "m").stdout) == []
        assert acting(daemon.command("status").stdout) == []
    finally:
        daemon.stop()
