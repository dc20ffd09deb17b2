import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from kubeai_notebook.present.wire import (
    Card,
    CardFact,
    CardFinding,
    CardRemedy,
    CardStep,
    Details,
    EventLine,
    NoticeLine,
    Request,
    RequestProgress,
    Tone,
)

MODELS = [RequestProgress, Card, CardFact, CardFinding, CardRemedy, CardStep, Details, EventLine, NoticeLine, Request]
TYPES = (Path(__file__).parents[2] / "labextension" / "shared" / "types.ts").read_text()


@pytest.mark.parametrize("model", MODELS)
def test_has_the_same_fields_in_typescript(model: type[BaseModel]) -> None:
    body = re.search(rf"interface {model.__name__} \{{\n(.*?)\n\}}", TYPES, re.DOTALL)
    assert body is not None
    assert re.findall(r"^  (\w+):", body[1], re.MULTILINE) == list(model.model_fields), "run `make types`"


def test_has_the_same_tones_in_typescript() -> None:
    tones = re.search(r"^  tone: (.*);$", TYPES, re.MULTILINE)
    assert tones is not None
    assert tuple(re.findall(r'"(\w+)"', tones[1])) == get_args(Tone), "run `make types`"
