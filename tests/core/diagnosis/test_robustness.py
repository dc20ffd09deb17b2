"""Whatever an Observation lacks or holds, diagnosis answers, and soon."""

import copy
import time
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.diagnosis.engine import rule
from kubeai_notebook.core.diagnosis.engine.harmless import small
from kubeai_notebook.core.diagnosis.engine.rule import Rule, first
from kubeai_notebook.core.diagnosis.engine.scene import Scene
from kubeai_notebook.core.diagnosis.engine.text_source import Passage
from kubeai_notebook.core.observation import HttpAnswer, Observation, Operator

from .cluster_cases import CASES
from .scenes import CONFIG, NOW, crash, model, seen, unscheduled, waiting

UNKNOWN_CA = "certificate signed by unknown authority"

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just([]), st.just({}), st.just([None, 1, {}])
).map(copy.deepcopy)


def spots(value, path=()):
    """Paths of everything inside plain objects."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from spots(child, (*path, key))


def broken(objects, data):
    """The objects with a few values replaced or taken out."""
    objects = copy.deepcopy(list(objects))
    for _ in range(data.draw(st.integers(0, 4))):
        places = list(spots(objects))
        if not places:
            break
        *parents, key = data.draw(st.sampled_from(places))
        holder = objects
        for parent in parents:
            holder = holder[parent]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = data.draw(ODD)
    return tuple(objects)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_survives_missing_and_odd_fields(data):
    whole = CASES[data.draw(st.sampled_from(sorted(CASES)))]
    (changed,) = broken([whole.model], data)
    odd = Observation(
        model=changed if isinstance(changed, dict) else {},
        pods=broken(whole.pods, data),
        events=broken(whole.events, data),
        jobs=broken(whole.jobs, data),
        claims=broken(whole.claims, data),
        logs=whole.logs,
        operator=Operator(
            config=broken([CONFIG], data)[0], version=data.draw(st.none() | st.text(max_size=8)), namespace="ai"
        ),
        refusal=data.draw(st.none() | st.text(max_size=20)),
        answer=data.draw(
            st.none() | st.builds(HttpAnswer, status=st.none() | st.integers(0, 600), body=st.text(max_size=20))
        ),
    )
    for finding in diagnose(odd, now=NOW):
        assert finding.message


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
def test_survives_any_log(text):
    found = diagnose(crash(text), now=NOW)
    assert len(found) == 1


@pytest.mark.parametrize("now", [NOW, datetime(2026, 11, 22, 20, tzinfo=UTC).replace(tzinfo=None)])
def test_takes_a_time_with_or_without_a_zone(now):
    assert diagnose(CASES["OperatorDown"], now=now)


def test_is_the_same_however_often_it_is_asked():
    for observation in CASES.values():
        assert diagnose(observation, now=NOW) == diagnose(observation, now=NOW)


def test_loses_nothing_else_by_a_rule_that_raises(caplog):
    def broken(_case):
        raise KeyError("a bug")

    scene = Scene(crash("No space left on device"), NOW)
    raising = Rule(code="Raising", seen=("No space",), message=("x",), who="user", only=broken)
    sound = Rule(code="Sound", seen=("No space",), message=("It is full.",), who="user")
    found = first((raising, sound), (Passage("log", "p", ("No space left on device",)),), scene)
    assert found is not None
    assert found.code == "Sound"
    assert "The rule Raising of the diagnosis failed" in caplog.text


@pytest.mark.parametrize("lines", [("a\nb", "c"), ("\n",), ("a", "b\n\nc\n"), ("", "")])
def test_has_one_lowered_line_for_each_line(lines):
    assert len(small(lines)) == len(lines)
    passage = Passage("log", "p", lines)
    assert len(passage.lowered) == len(passage.lines) == len(lines)


MANY_DIGITS = "1" * 5_000


@pytest.mark.parametrize(
    "observation",
    [
        seen(None, unscheduled(f"0/3 nodes are available: {MANY_DIGITS} node(s) had untolerated taint {{a: b}}.")),
        crash(f"ValueError: available memory on node 0 ({MANY_DIGITS}) is less than requested memory for kv (5.0)"),
        crash(
            f"pydantic_core._pydantic_core.ValidationError: {MANY_DIGITS} validation errors for VllmConfig\n"
            "max_model_len\n  Input should be a valid integer [type=int_parsing, input_value='x', input_type=str]"
        ),
    ],
    ids=["taint", "memory", "validation"],
)
def test_reads_a_number_that_no_machine_has(observation):
    assert diagnose(observation, now=NOW)


def test_looks_with_each_pattern_at_each_line_once(monkeypatch):
    looked = Counter()

    class Counting:
        def __init__(self, source):
            self.source = source

        def search(self, line):
            looked[self.source, line] += 1

    monkeypatch.setattr(rule, "compiled", Counting)
    lines = tuple(f"PicoError: {number}" for number in range(30))
    row = Rule(
        code="Pico",
        seen=("picoerror",),
        message=("x",),
        who="user",
        take=("near",),
        far=("far",),
        only=lambda case: False,
    )
    assert first((row,), (Passage("log", "p", lines),), Scene(crash("x"), NOW)) is None
    assert looked == {(source, line): 1 for source in ("near", "far") for line in lines}


@pytest.mark.parametrize(
    "seen_by_it",
    [
        crash("\n".join(f"{number} {'ValueError: ' * 650}" for number in range(300))),
        seen(model(), waiting("ImagePullBackOff", f'unpack image "{"a." * 50_000} : x509: {UNKNOWN_CA}')),
    ],
    ids=["log", "message"],
)
def test_takes_little_time_for_words_that_were_made_to_take_long(seen_by_it):
    began = time.process_time()
    diagnose(seen_by_it, now=NOW)
    # A second; it took seven, and fourteen.
    assert time.process_time() - began < 4
