"""Completion on Tab, as IPython asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.magics.call_completion import complete_call
from kubeai_notebook.magics.completion import complete
from kubeai_notebook.magics.registry import VERBS
from kubeai_notebook.session.session import default
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.session.session import Session


def completions(shell: Any, text: str) -> list[str]:
    """As the kernel asks: the whole text with each completion in it."""
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        found = list(shell.Completer.completions(text, len(text)))
    return [text[: one.start] + one.text + text[one.end :] for one in found]


@pytest.mark.parametrize(
    ("begun", "whole"),
    [
        ("%kubeai_serve smol --eng", ["%kubeai_serve smol --engine"]),
        ("%kubeai_serve --engine v", ["%kubeai_serve --engine VLLM"]),
        ("%kubeai_serve --engine=o", ["%kubeai_serve --engine=OLlama"]),
        (
            "m = %kubeai_serve a --feature text",
            [f"m = %kubeai_serve a --feature Text{end}" for end in ("Generation", "Embedding")],
        ),
        ("%kubeai_serve a --load-balancing P", ["%kubeai_serve a --load-balancing PrefixHash"]),
        ("%%kubeai_chat smol --temp", ["%%kubeai_chat smol --temperature"]),
        ("%kubeai_serve ollama://qwen2:0", ["%kubeai_serve ollama://qwen2:0.5b"]),
        ("%kubeai_serve a --url ollama://qwen2:0", ["%kubeai_serve a --url ollama://qwen2:0.5b"]),
        ("%kubeai sca", ["%kubeai scale"]),
        ("%kubeai serve a --cach", ["%kubeai serve a --cache-profile", "%kubeai serve a --caching-profile"]),
        ("%kubeai_config name", ["%kubeai_config namespace="]),
        ("%kubeai_code smol l", [f"%kubeai_code smol l{rest}" for rest in ("angchain", "itellm", "lm")]),
    ],
)
def test_completes_options_and_their_values(shell: Any, begun: str, whole: list[str]) -> None:
    assert completions(shell, begun) == whole


def test_offers_what_kubeai_local_does(shell: Any) -> None:
    offered = completions(shell, "%kubeai_local ")
    assert offered[:4] == [f"%kubeai_local {action}" for action in ("start", "stop", "status", "add")]
    assert completions(shell, "%kubeai_local stat") == ["%kubeai_local status"]


def test_offers_all_magics(shell: Any) -> None:
    found = completions(shell, "%kubeai_")
    assert {f"%kubeai_{verb.name}" for verb in VERBS if verb.kind != "cell"} <= set(found)
    assert completions(shell, "%kubeai ") == [f"%kubeai {verb.name}" for verb in VERBS]


def test_leaves_other_lines_to_others(shell: Any) -> None:
    assert "--engine" not in str(completions(shell, "%timeit --eng"))
    assert "--engine" not in str(completions(shell, "%kubeai_serve a -- --eng"))
    assert "--engine" not in str(completions(shell, "print(1) #%kubeai_serve"))
    assert "print" in completions(shell, "prin")


def test_knows_names_without_asking(here: Callable[[str], Any], shell: Any) -> None:
    assert "%kubeai_delete smol" not in completions(shell, "%kubeai_delete s")
    here("%kubeai_serve smol --url ollama://smollm2:135m --min-replicas 0")
    here("%kubeai_serve other --url ollama://smollm2:135m --min-replicas 0")
    sent = counted(default())
    assert completions(shell, "%kubeai_delete ") == ["%kubeai_delete other", "%kubeai_delete smol"]
    assert completions(shell, "%kubeai_why smol --f") == ["%kubeai_why smol --fix"]
    assert completions(shell, "m = %kubeai_status -n default s") == ["m = %kubeai_status -n default smol"]
    assert completions(shell, "%kubeai_serve a --profile cp") == ["%kubeai_serve a --profile cpu:1"]
    assert "%kubeai_serve a --profile nvidia-gpu-l4:1" in completions(shell, "%kubeai_serve a --profile nvidia-gpu-l")
    assert completions(shell, "%kubeai_logs smol ") != completions(shell, "%kubeai_logs ")
    assert sent == []


def counted(session: Session) -> list[str]:
    """Every request that the Session sends from now on."""
    sent: list[str] = []
    inner = session.cluster.api.open

    def spy(method: str, path: str, **more: Any) -> Any:
        sent.append(path)
        return inner(method, path, **more)

    session.cluster.api.open = spy  # type: ignore[method-assign]  # it only listens
    return sent


def test_learns_profiles_in_the_background(here: Callable[[str], Any], shell: Any) -> None:
    here("%kubeai_config context=local")
    with pytest.raises(Exception, match="no Model"):
        here("%kubeai_status nobody")
    until(lambda: completions(shell, "%kubeai_serve a --profile cp"))


@pytest.mark.parametrize(
    "odd",
    [
        "{In and 1}",
        "cpu --yes --force",
        "a'b",
        'a"b',
        "$HOME",
        "a;b",
        "a\\b",
        "--yes",
        "a\tb",
        "a`b",
        "a|b",
        "a\u00a0b",
    ],
)
@pytest.mark.parametrize("what", ["profiles", "names", "secret_names", "urls"])
def test_offers_no_word_of_a_cluster_that_would_be_more_than_a_word_when_the_line_runs(
    monkeypatch: pytest.MonkeyPatch, what: str, odd: str
) -> None:
    monkeypatch.setattr(default(), what, lambda: [odd, "plain-1.x"])
    begun = {
        "profiles": "%kubeai_serve a --resource-profile ", "names": "%kubeai_delete ",
        "secret_names": "%kubeai_serve a --secret ", "urls": "%kubeai_serve a --url ",
    }[what]  # fmt: skip
    offered = [one.text.removesuffix(":1") for one in complete(begun)["completions"]]
    assert offered == ["plain-1.x"]


@pytest.mark.parametrize(
    ("begun", "whole"),
    [
        ('kubeai_notebook.serve(url="ollama://qwen2:0', ['kubeai_notebook.serve(url="ollama://qwen2:0.5b']),
        ("kubeai_notebook.serve('ollama://qwen2:0", ["kubeai_notebook.serve('ollama://qwen2:0.5b"]),
        ('serve("small", "ollama://qwen2:0', ['serve("small", "ollama://qwen2:0.5b']),
        ('m = k.plan(\n    name="a",\n    engine="v', ['m = k.plan(\n    name="a",\n    engine="VLLM']),
        ('serve(args=["--seed=1"], engine = "o', ['serve(args=["--seed=1"], engine = "OLlama']),
        ('k.serve(features=["TextGeneration", "TextE', ['k.serve(features=["TextGeneration", "TextEmbedding']),
        ('serve(scaling=dict(min_replicas=0), feature="re', ['serve(scaling=dict(min_replicas=0), feature="Reranking']),
        ('serve(resource_profile="cp', ['serve(resource_profile="cpu:1']),
        ('# don\'t\nx = "\nserve(url="ollama://qwen2:0', ['# don\'t\nx = "\nserve(url="ollama://qwen2:0.5b']),
        ('k.catalog(feature="sp', ['k.catalog(feature="SpeechToText']),
    ],
)
def test_completes_the_texts_of_a_call(shell: Any, begun: str, whole: list[str]) -> None:
    shell.run_cell("import kubeai_notebook, kubeai_notebook as k\nfrom kubeai_notebook import serve")
    assert completions(shell, begun) == whole


@pytest.mark.parametrize(
    "text",
    [
        'other.serve(engine="v',
        'print("engine=v',
        'serve(engine="VLLM").wait("v',
        'serve(engine="VLLM", prompt="v',
        "serve(x='",
        'serve(env={"engine": "v',
        'serve(text)["v',
    ],
)
def test_leaves_other_calls_to_others(shell: Any, text: str) -> None:
    shell.run_cell("from kubeai_notebook import serve\nother = object()")
    assert "VLLM" not in [found[len(text) - 1 :] for found in completions(shell, text)]
    assert not any("ollama://" in found for found in completions(shell, text))


@pytest.mark.parametrize(
    "above",
    ["A" * 400 + "(" + "b" * 400 + ")", "f(" * 900, "a(" + "[" * 600 + "'x', " * 100, "f(" + '""' * 900, "a.b." * 400],
)
def test_reads_what_stands_above_the_cursor_once(above: str) -> None:
    # (what tries each way to read it does not end)
    assert complete_call(f'{above}\nx = foo("te') == {"completions": []}


class Proxy:
    """An object of the user's whose attributes ask somebody else."""

    def __init__(self, asked: list[str]) -> None:
        vars(self)["asked"] = asked

    def __getattr__(self, name: str) -> str:
        self.asked.append(name)
        return name


def test_asks_no_object_of_the_users_anything(shell: Any) -> None:
    import pandas as pd

    asked: list[str] = []
    odd = type("Odd", (), {"__module__": None})
    shell.user_ns.update(p=Proxy(asked), odd=odd(), s=pd.Series({"columns": 5}), t=pd.DataFrame({"a": [1]}))
    for text in ('p.serve("', 'odd.serve("', "%%kubeai_map smol "):
        completions(shell, text)
    assert [name for name in asked if not name.startswith("_ipython")] == []
    assert "%%kubeai_map smol t" in completions(shell, "%%kubeai_map smol ")


def test_knows_names_in_a_call_without_asking(here: Callable[[str], Any], shell: Any) -> None:
    here("import kubeai_notebook")
    here("%kubeai_serve smol --url ollama://smollm2:135m --min-replicas 0")
    sent = counted(default())
    assert completions(shell, 'kubeai_notebook.attach("s') == ['kubeai_notebook.attach("smol']
    assert completions(shell, 'kubeai_notebook.delete("other", "') == ['kubeai_notebook.delete("other", "smol']
    assert sent == []


def test_offers_tables_and_their_columns(shell: Any) -> None:
    import pandas as pd

    shell.user_ns.update(reviews=pd.DataFrame({"text": ["a"], "my note": ["b"]}), rest=3)
    assert completions(shell, "%%kubeai_map smol re") == ["%%kubeai_map smol reviews"]
    assert completions(shell, "%kubeai_embed mini re") == ["%kubeai_embed mini reviews"]
    assert completions(shell, "%kubeai_embed mini reviews t") == ["%kubeai_embed mini reviews text"]
    assert completions(shell, "%%kubeai_map smol reviews --errors f") == ["%%kubeai_map smol reviews --errors frame"]
