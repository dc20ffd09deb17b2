"""Which arguments engines know: a slip is told from a name that is only new."""

import pytest

from kubeai_notebook.core.engine_arguments import KNOWN, LLAMA_CPP, meant_argument
from kubeai_notebook.local.engines.llamacpp_worker import parser_of


def test_lists_what_the_engine_of_this_machine_reads():
    options = parser_of(1)._option_string_actions
    assert {option.removeprefix("--") for option in options if option.startswith("--")} == LLAMA_CPP


@pytest.mark.parametrize("engine", KNOWN)
def test_doubts_nothing_that_it_lists(engine):
    assert [name for name in KNOWN[engine] if meant_argument(engine, name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "no-enable-chunked-prefill",
        "tensor-parallel",
        "compilation-config.mode",
        "tp",
        "O3",
        "x",
        "verbose",
        "my-flag",
        "",
    ],
)
def test_lets_pass_what_may_be_new(name):
    assert meant_argument("VLLM", name) == ""
    assert meant_argument("FasterWhisper", name) == ""
    assert meant_argument("SomethingNew", "max-model-length") == ""
