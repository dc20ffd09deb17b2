"""What a text hides comes back in its own place, and what a preset leaves out leaves nothing half-said."""

import pytest

from kubeai_notebook.core.stated import restored, shown, to_keep
from kubeai_notebook.errors import SpecError

URL = {"url": "hf://org/a"}


@pytest.mark.parametrize(
    "args",
    [
        ["--api-key", "swordfish1", "--hf-token", "swordfish2"],
        ["--api-key=swordfish1", "--api-key=swordfish2", "--seed=1"],
        ["--hf-token", "swordfish", "--max-model-len=5", "--api-key=swordfish2"],
    ],
)
def test_gives_each_hidden_argument_back_in_its_place(args: list[str]) -> None:
    stated = {**URL, "args": args}
    pasted = shown(stated)
    assert "swordfish" not in str(pasted)
    assert restored({**pasted, "args": [*pasted["args"], "--verbose"]}, stated)["args"] == [*args, "--verbose"]


def test_refuses_a_hidden_argument_that_could_be_either_of_two() -> None:
    stated = {**URL, "args": ["--api-key=swordfish1", "--api-key=swordfish2"]}
    with pytest.raises(SpecError, match="hidden in this text"):
        restored({**URL, "args": ["--api-key=***"]}, stated)


def test_keeps_no_option_without_its_value() -> None:
    args = ["--api-key", "swordfish", "--max-model-len=5", "--hf-token=swordfish"]
    assert to_keep({**URL, "args": args})["args"] == ["--max-model-len=5"]
