"""The tolerant readers: what is missing or of another type is not known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kubeai_notebook.core import objects

ODD: list[Any] = [None, [], "text", 7, 1.5, True, {"a": None}, [None, 1]]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_knows_nothing_of_what_has_another_type(odd: Any) -> None:
    item = {"a": odd}
    assert objects.at(item, "a", "b", "c") is None
    assert objects.map_at(item, "a", "b") == {}
    assert objects.text_at(item, "a", "b") == ""
    assert objects.maps_at(item, "a", "b") == objects.texts_at(item, "a", "b") == ()
    assert objects.texts_in(item, "a") == {}
    assert (objects.name_of(odd), objects.uid_of(odd), objects.created_at(odd)) == ("", "", None)
    assert not objects.is_going(odd)
    assert objects.desired_replicas(odd) == 0


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), (-1, -1), (True, None), ("3", None), (3.0, None), (2**63 - 1, 2**63 - 1), (2**63, None)],
)
def test_reads_whole_numbers_of_64_bits(value: Any, number: int | None) -> None:
    assert objects.number_at({"n": value}, "n") == number
    assert objects.count_at({"n": value}, "n") == max(number or 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T20:00:00Z", "2026-11-22T20:00:00.000000Z", "2026-11-22T20:00:00.000000000Z", "2026-11-22t20:00:00z",
        "2026-11-22T21:00:00+01:00", "2026-11-22T15:30:00-04:30", "2026-11-22T20:00:00", "2026-11-22 20:00:00+00:00",
    ],
)  # fmt: skip
def test_reads_a_time_in_every_form(text: str) -> None:
    assert objects.parse_time(text) == datetime(2026, 11, 22, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "²", "1763841600"]
)
def test_knows_no_time_from_anything_else(text: str) -> None:
    assert objects.parse_time(text) is None


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"replicas": 3, "minReplicas": 1}, 3), ({"minReplicas": 2}, 2), ({"replicas": -2}, 0), ({}, 0),
        ({"minReplicas": 2, "autoscalingDisabled": True}, 0), ({"replicas": "3", "minReplicas": 1}, 1),
    ],
)  # fmt: skip
def test_knows_how_many_replicas_are_wanted(spec: dict[str, Any], wanted: int) -> None:
    assert objects.desired_replicas({"spec": spec}) == wanted


def test_sorts_events_by_the_newest_word_about_them() -> None:
    first = {"firstTimestamp": "2026-11-22T19:00:00Z", "metadata": {"resourceVersion": "9"}}
    series = {"eventTime": "2026-11-22T10:00:00Z", "series": {"count": 57, "lastObservedTime": "2026-11-22T20:00:00Z"}}
    later = {**first, "metadata": {"resourceVersion": "10"}}
    events = sorted(map(objects.Event, [series, later, first, {}]), key=lambda event: event.order)
    assert [event.raw for event in events] == [{}, first, later, series]
    assert [event.count for event in events] == [1, 1, 1, 57]
