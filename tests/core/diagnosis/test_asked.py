"""What a call is told, where what would help is being done already."""

import json

import pytest

from kubeai_notebook.core.diagnosis import explanation_of
from kubeai_notebook.core.observation import HttpAnswer
from kubeai_notebook.present.wording import in_magics

from .scenes import NOW, model, pod, seen

TOO_LONG = HttpAnswer(status=400, body='{"error":{"message":"the request exceeds the available context size"}}')
OLLAMA_TOO_LONG = HttpAnswer(status=400, body='{"error":{"message":"the input exceeds the context length"}}')


def steps(answer, had, wanted):
    """Of a Model that asks for ``wanted`` while a Pod that was made of ``had`` answers."""
    env = [{"name": name, "value": value} for name, value in had.get("env", {}).items()]
    container = {"name": "server", "args": had.get("args", []), "env": env}
    ready = pod("model-m-old-1", ready=True, hashed="old", spec={"containers": [container]})
    finding = explanation_of(answer, seen(model(ready=1, **wanted), ready), now=NOW)
    return [remedy.title for remedy in finding.remedies]


@pytest.mark.parametrize(
    ("answer", "had", "wanted", "setting"),
    [
        (TOO_LONG, {"args": ["--ctx-size=512"]}, {"args": ["--ctx-size", "8192"]}, "--ctx-size=8192"),
        (TOO_LONG, {}, {"args": ["--max-model-len=8192"]}, "--max-model-len=8192"),
        (OLLAMA_TOO_LONG, {}, {"env": {"OLLAMA_CONTEXT_LENGTH": "8192"}}, "OLLAMA_CONTEXT_LENGTH=8192"),
    ],
)
def test_names_the_update_that_is_on_its_way_in_place_of_advising_it(answer, had, wanted, setting):
    first, *others = steps(answer, had, wanted)
    assert first == f"An update to {setting} is on its way: ask again once it is ready."
    assert not any("larger" in step for step in others)


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        (
            "request (6415 tokens) exceeds the available context size (4096 tokens), try increasing it",
            "--ctx-size=8192",
        ),
        (
            "request (8000 tokens) exceeds the available context size (4096 tokens), try increasing it",
            "--ctx-size=16384",
        ),
        (
            "This model's maximum context length is 6048 tokens. However, you requested 6616 tokens.",
            "--max-model-len=8192",
        ),
    ],
)
def test_names_the_argument_for_a_context_that_would_do(text, argument):
    told = steps(HttpAnswer(status=400, body=json.dumps({"error": {"message": text}})), {}, {})
    advice = f'Or serve it again with args=["{argument}"] added, as far as the model itself and the memory allow.'
    assert advice in told
    assert f"Or serve it again with -- {argument} added, as far" in in_magics(advice, "m")


@pytest.mark.parametrize("args", [[], ["--ctx-size=8192"], ["--ctx-size=much"]])
def test_advises_a_larger_context_where_none_is_on_its_way(args):
    told = steps(TOO_LONG, {"args": args}, {"args": args})
    assert "Or serve it with a larger --ctx-size, as far as the model itself and the memory allow." in told
    assert not any("on its way" in step for step in told)
