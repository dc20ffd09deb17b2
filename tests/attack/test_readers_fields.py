"""Fields from YAML and from Python that no Model can hold: a sentence that names them, never a stack."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.core.spec import spec_of, spec_of_yaml
from kubeai_notebook.errors import KubeAIError, SpecError
from tests.magics.conftest import run, shell  # noqa: F401 - fixtures
from tests.support import readers
from tests.support.attack import rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEED = 20261127
_FILE = Path(__file__).parents[1] / "golden" / "odd_documents.txt"
_PARTS = _FILE.read_text(encoding="utf-8").split("=== names: ")[1:]
DOCUMENTS = [tuple(part.split("\n", 1)) for part in _PARTS]
SHORT = {
    "name": "m", "url": "hf://org/model", "engine": "VLLM", "features": ["TextGeneration"], "profile": "cpu:1",
    "args": ["--a=1"], "env": {"A": "1", "B": 2}, "labels": {"team": "a"}, "secrets": {"HF_TOKEN": "hub:token"},
    "files": {"/a": "b"}, "adapters": {"x": "hf://a/b"}, "scaling": {"minReplicas": 1, "load_balancing": {}},
    "cache_profile": "efs", "image": "vllm:1", "priority_class": "high", "namespace": "default",
}  # fmt: skip


def itself() -> list[Any]:
    holder: list[Any] = []
    holder.append(holder)
    return holder


def twice(depth: int) -> list[Any]:
    """2 to the power of ``depth`` values, in little room."""
    return [twice(depth - 1)] * 2 if depth else []


ODD: list[Any] = [
    *readers.ODD, {"a", "b"}, frozenset({1}), b"bytes", bytearray(b"x"), date(2026, 1, 1),
    datetime(2026, 1, 1, tzinfo=UTC), Decimal("1.5"), object(), int, len, 1j, range(3), iter("ab"), itself(), twice(10),
    10**5000, -(10**5000), {1: 2}, {None: "x"}, {True: "x"}, {("a", 1): "x"}, {1.5: {2: 3}}, {float("nan"): 1},
    {b"a": 1}, {10**5000: 1}, ("a", ("b",)), ["a"] * 3000, {"x": {"y": {3: 4}}}, "ollama://a\n", "²", "9" * 5000,
]  # fmt: skip


def replaced(value: Any, random: Random) -> Any:
    """The value with up to three things in it replaced, or with a key that is no text."""
    there = list(readers.places(value))
    for path in random.sample(there, random.randint(1, 3)):
        odd = random.choice(ODD)
        # What cannot be a key is put in as a value; a place may have gone with what stood above it.
        as_key = random.random() < 0.2 and isinstance(odd, Hashable)
        with suppress(TypeError, IndexError, KeyError, AttributeError):
            value = readers.changed(value, path, _keyed(odd) if as_key else _setter(odd))
    return value


def _setter(odd: Any) -> Callable[[Any, Any], None]:
    return lambda holder, key: holder.__setitem__(key, odd)


def _keyed(odd: Any) -> Callable[[Any, Any], None]:
    return lambda holder, _key: holder.__setitem__(odd, "x")


def raised(fields: Any) -> str:
    """What came out of it that is no sentence; ``""`` for a spec and for a SpecError."""
    try:
        repr(spec_of(fields))
    except SpecError as error:
        return "" if str(error) else "a SpecError without a sentence"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
        return f"{type(error).__name__}: {error}"[:120]
    return ""


@pytest.mark.finding("M12")
@pytest.mark.parametrize(("named", "document"), DOCUMENTS, ids=range(len(DOCUMENTS)))
@pytest.mark.parametrize("magic", ["%%kubeai_apply --raw --dry-run", "%%kubeai_serve --raw --dry-run"])
def test_names_what_is_wrong_in_a_cells_yaml(run: Callable[[str], Any], magic: str, named: str, document: str) -> None:  # noqa: F811 - a fixture
    line = magic if "apply" in magic else "%%kubeai_serve --dry-run"
    with pytest.raises(KubeAIError) as error:
        run(f"{line}\n{document}")
    whole = "serve" in magic and "apiVersion" in document
    assert named in str(error.value) or whole


@pytest.mark.finding("M12")
def test_refuses_what_the_file_holds_from_python_too() -> None:
    assert len(DOCUMENTS) >= 40
    for named, document in DOCUMENTS:
        with pytest.raises(SpecError) as error:
            spec_of_yaml(document)
        assert named in str(error.value)


@pytest.mark.finding("M12")
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_takes_or_refuses_an_odd_value_in_each_field(odd: Any) -> None:
    fields = [{**SHORT, name: odd} for name in SHORT] + [{**SHORT, "env": {"A": odd}}, {**SHORT, "args": [odd]}]
    assert [said for said in map(raised, [odd, *fields]) if said] == []


@pytest.mark.finding("M12")
def test_refuses_a_billion_values_in_little_room() -> None:
    with pytest.raises(SpecError, match="values"):
        spec_of({**SHORT, "args": twice(30)})


@pytest.mark.finding("M12")
@pytest.mark.parametrize("form", ["short", "manifest"])
def test_takes_or_refuses_generated_fields(form: str) -> None:
    random = Random(SEED)
    good: Any = SHORT if form == "short" else readers.rich()[0].model

    def tries() -> Iterator[str]:
        for _ in range(rounds(full=10_000, short=800)):
            yield raised(replaced(good, random))

    counts: dict[str, int] = {}
    for said in tries():
        if said:
            counts[said] = counts.get(said, 0) + 1
    assert counts == {}


@pytest.mark.parametrize("url", ["ollama://smollm2:135m\n", "hf://org/model\n", "hf://org/model\n?x=1"])
def test_refuses_a_url_with_a_line_feed_at_its_end(url: str) -> None:
    with pytest.raises(SpecError, match="characters that KubeAI does not accept"):
        spec_of({"url": url})


@pytest.mark.parametrize("name", ["m\n", "m\r", "m\u2028"])
def test_refuses_a_name_with_a_line_feed_at_its_end(name: str) -> None:
    with pytest.raises(SpecError, match="name"):
        spec_of({"url": "hf://org/model", "name": name})


@pytest.mark.parametrize(
    "fields",
    [
        {"adapters": {"x\n": "hf://a/b"}}, {"files": {"/a\n:": "b"}}, {"profile": "cpu:1\n"}, {"labels": {"a\n": "b"}},
        {"labels": {"a": "b\n"}}, {"resources": {"cpu": "1\n"}}, {"profile": "cpu:²"},
    ],
)  # fmt: skip
def test_refuses_a_line_feed_at_the_end_of_what_has_a_form(fields: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        spec_of({"url": "hf://org/model", "engine": "VLLM", **fields})
