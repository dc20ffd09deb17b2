"""Every example that a reader may copy is run as it stands: of each magic's help, of the texts, of the docstrings.

They run on the single-machine KubeAI. What that cannot have stands in `ELSEWHERE` with its reason, and runs on an API
of canned objects; nothing is left out.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import kubeai_notebook
from kubeai_notebook.magics.registry import VERBS, Verb, parser_of
from kubeai_notebook.session.session import close_defaults
from tests.support.fake_api import CLAIMS, EVENTS, JOBS, MODELS, PODS, FakeApi, model, pod
from tests.support.waiting import interrupt_main, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
TEXTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md", "CHANGELOG.md")
SMOL = "%kubeai_serve smol --url ollama://smollm2:135m --wait;"
MINI = "%kubeai_serve mini --url ollama://all-minilm --feature TextEmbedding --wait;"
BEFORE = {
    "serve": "",
    "embed": MINI,
    "playground": f"{SMOL}\n{MINI}",
    "compare": SMOL + "\n%kubeai_serve other --url ollama://smollm2:135m --wait;",
    "apply": "",
    "doctor": "",
    "config": "",
    "why": "%kubeai_serve smol --url ollama://smollm2:135m --profile cpus --force;",
}
"""What is run before a verb's examples; by default Model smol is served."""
BEFORE_EACH = {
    "delete": "%kubeai_serve smol --url ollama://smollm2:135m --min-replicas 0;",
    "rollback": "%kubeai_serve smol --url ollama://smollm2:135m --target-requests 7;",
}
ENDLESS = "%kubeai_logs smol --follow"
ELSEWHERE = {
    "-n team": "kubeai-local has one namespace",
    ENDLESS: "it ends with the engine, or when its reader interrupts it",
}
"""What an example holds that is run on canned objects, in namespace team, and why."""
DRAWINGS = {"ARCHITECTURE.md": 1}
"""Fenced blocks that are no code."""


def examples_of(verb: Verb) -> list[str]:
    shown = repr(parser_of(verb).read("--help"))
    section = shown.partition("Examples:\n")[2].partition("\n\n")[0]
    cells = re.split(r"^(?=  \S*\s?=?\s?%)", section, flags=re.MULTILINE)
    dedented = [textwrap.dedent(re.sub(r"^  ", "", cell, flags=re.MULTILINE)) for cell in cells if cell.strip()]
    return [re.sub(r"\n  ", "\n", cell).rstrip() for cell in dedented]


def is_elsewhere(example: str) -> bool:
    return any(words in example for words in ELSEWHERE)


def blocks_of(name: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_shows_examples_that_run(
    here: Callable[[str], Any], verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.gguf").write_bytes(b"GGUF")
    examples = examples_of(verb)
    assert len(examples) >= 3
    here(BEFORE.get(verb.name, SMOL))
    here("import pandas\ntopic = 'tides'\nreviews = pandas.DataFrame({'text': ['The soup was good.', 'Too cold.']})")
    for example in examples:
        if not is_elsewhere(example):
            here(BEFORE_EACH.get(verb.name, ""))
            here(example)
    here("%kubeai_config context=local namespace= default_profile=;")


@pytest.fixture
def canned(run: Callable[[str], Any], kubeconfig: Callable[..., str]) -> Iterator[FakeApi]:
    """A cluster with Model smol in namespace team, which the shell is on."""
    with FakeApi().in_thread() as api, pytest.MonkeyPatch.context() as patch:
        for path in (MODELS, PODS, EVENTS, JOBS, CLAIMS):
            api.objects[path.replace("/default/", "/team/")] = {}
        smol, its_pod = model("smol"), pod("model-smol-1", "smol")
        for item in (smol, its_pod):
            item["metadata"]["namespace"] = "team"
        api.put(MODELS.replace("/default/", "/team/"), smol)
        api.put(PODS.replace("/default/", "/team/"), its_pod)
        patch.setenv("KUBECONFIG", kubeconfig(api.url))
        run("%config KubeAI.context = 'a'")
        run("%config KubeAI.namespace = 'team'")
        yield api
        run("%config KubeAI.context = ''")
        run("%config KubeAI.namespace = ''")
        close_defaults()


@pytest.mark.parametrize(
    "example", [example for verb in VERBS for example in examples_of(verb) if is_elsewhere(example)]
)
def test_shows_examples_for_a_cluster_that_run(canned: FakeApi, run: Callable[[str], Any], example: str) -> None:
    interrupting = threading.Thread(target=lambda: interrupt_once(lambda: bool(canned.following)))
    if example == ENDLESS:
        interrupting.start()
        with pytest.raises(KeyboardInterrupt):
            run(example)
        interrupting.join()
    else:
        run(example)


def interrupt_once(ready: Callable[[], bool]) -> None:
    """Interrupt the main thread, as a reader does."""
    until(ready, 20)
    interrupt_main()


def test_gives_a_reason_for_each_example_that_runs_elsewhere_and_for_no_other() -> None:
    examples = [example for verb in VERBS for example in examples_of(verb)]
    assert [words for words in ELSEWHERE if not any(words in example for example in examples)] == []


@pytest.mark.parametrize("name", [name for name in TEXTS if blocks_of(name)])
def test_writes_examples_into_its_texts_that_run(here: Callable[[str], Any], name: str) -> None:
    """One after the other, as they are read; a comment behind the last line is what it gives."""
    blocks = blocks_of(name)
    assert [language for language, _ in blocks if language != "python"] == [""] * DRAWINGS.get(name, 0)
    for cell in (text for language, text in blocks if language == "python"):
        result = here(cell)
        shown = cell.rstrip().splitlines()[-1].rpartition("  # ")[2]
        if "  # " in cell.rstrip().splitlines()[-1]:
            assert result == ast.literal_eval(shown)


def modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(kubeai_notebook.__path__, "kubeai_notebook."):
        if not found.name.endswith("__main__") and ">>> " in source_of(found.name):
            yield found.name


def source_of(name: str) -> str:
    path = ROOT / name.replace(".", "/")
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(modules()))
def test_shows_examples_in_docstrings_that_run(name: str) -> None:
    module = importlib.import_module(name)
    shown = {test.name: test for test in doctest.DocTestFinder(exclude_empty=True).find(module, name)}
    examples = [test for test in shown.values() if test.examples]
    assert sum(len(test.examples) for test in examples) == source_of(name).count(">>> ")
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in examples:
        runner.run(test, out=report.append)
    assert report == []
