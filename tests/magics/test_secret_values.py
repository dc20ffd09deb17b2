"""``--secret NAME=ask``: a value that no notebook holds."""

from __future__ import annotations

import pytest

from kubeai_notebook.errors import SpecError, UsageError
from kubeai_notebook.magics.spec_options import with_values
from kubeai_notebook.session.session import serve


def test_asks_once_for_each_value_and_for_nothing_else() -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "swordfish"

    secrets = with_values(["name", "A=b:c", "HF_TOKEN=ask", {"env": "OTHER", "secret": "x", "key": "y"}], answer)
    assert asked == ["HF_TOKEN: "]
    assert secrets[0] == {"name": "name"}
    assert secrets[2]["value"].get_secret_value() == "swordfish"
    assert "swordfish" not in repr(secrets)


@pytest.mark.parametrize("error", [EOFError, OSError, RuntimeError])
def test_says_so_where_nobody_can_be_asked(error: type[Exception]) -> None:
    def nobody(_prompt: str) -> str:
        raise error

    with pytest.raises(UsageError, match="HF_TOKEN cannot be asked for") as raised:
        with_values(["HF_TOKEN=ask"], nobody)
    assert "--secret HF_TOKEN=SECRET:KEY" in raised.value.hint


def test_refuses_a_value_that_was_never_given() -> None:
    with pytest.raises(SpecError, match="has no value"):
        serve("hf://org/model", secrets={"HF_TOKEN": "ask"})
