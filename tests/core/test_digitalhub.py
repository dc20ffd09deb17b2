from typing import Any

import pytest

from kubeai_notebook.core.digitalhub import function_fields, run_fields
from kubeai_notebook.errors import SpecError

URL = {"url": "hf://a/b"}


def test_gives_a_function_the_fields_of_its_kind() -> None:
    speech = function_fields("kubeai-speech", {"url": "hf://a/whisper", "model_name": "w"})
    assert speech == {
        "url": "hf://a/whisper", "name": "w", "engine": "FasterWhisper", "features": "SpeechToText"
    }  # fmt: skip
    assert function_fields("kubeai-speech", {**URL, "features": ["SpeechToText"]})["features"] == ["SpeechToText"]


@pytest.mark.parametrize(
    ("kind", "given", "sentence"),
    [
        ("kubeai-txt", URL, 'There is no kind "kubeai-txt" here. Did you mean "kubeai-text"?'),
        ("kubeai-speech", {**URL, "engine": "VLLM"}, "A function of kind kubeai-speech always has FasterWhisper."),
        ("kubeai-text", {}, 'A function needs a url, such as url="hf://org/model"'),
        ("kubeai-text", {"url": 3}, "A function needs a url"),
        ("kubeai-text", {**URL, "modle_name": "x"}, 'no field "modle_name". Did you mean "model_name"?'),
        ("kubeai-text", {**URL, "profile": "x"}, 'give it to run(action="serve", resource_profile=…)'),
    ],
)
def test_refuses_what_is_no_functions(kind: str, given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as raised:
        function_fields(kind, given)
    assert sentence in str(raised.value)


def test_lays_a_runs_fields_over_those_of_its_function() -> None:
    function = {"url": "hf://a/b", "name": "m"}
    assert run_fields(function, {"profile": "x", "processors": 2, "local_execution": False}) == {
        "url": "hf://a/b", "name": "m", "resource_profile": "x", "processors": 2
    }  # fmt: skip
    assert run_fields({"url": "ollama://a"}, {"url": "ollama://a:7b"})["url"] == "ollama://a:7b"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"model_name": "x"}, "model_name is a field of the function. Give it to new_function(model_name=…)."),
        ({"url": "hf://a/c"}, "must start with that of its function"),
        ({"local_execution": True}, "Leave local_execution out."),
    ],
)
def test_refuses_what_a_run_cannot_say(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as raised:
        run_fields({"url": "hf://a/b"}, given)
    assert sentence in str(raised.value)
