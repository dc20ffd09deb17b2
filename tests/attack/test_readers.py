"""Odd objects of an API server: each face answers, and no rule of the diagnosis raises."""

from __future__ import annotations

import logging
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.core.diagnosis import recorded
from tests.core.diagnosis.test_cluster_findings import CASES
from tests.support import readers
from tests.support.attack import FULL, rounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.observation import Observation

SEED = 20261127
RICH = readers.rich()
BASES = [*RICH, *RICH, *CASES.values(), *(recorded.observation(entry) for entry in recorded.entries()[::30])]


@pytest.fixture(autouse=True)
def no_rule_raises() -> Iterator[None]:
    raised, logger = readers.Raised(), logging.getLogger("kubeai_notebook.core.diagnosis")
    logger.addHandler(raised)
    yield
    logger.removeHandler(raised)
    assert raised.said == []


def failures(seen: Observation, *, slowly: bool) -> str:
    """What a face raised; ``""`` where all answered."""
    try:
        view = readers.view_of(seen)
        assert all(isinstance(text, str) for text in readers.shown(view))
        if slowly:
            assert all(isinstance(text, str) for text in readers.shown_slowly(view))
            kept = readers.kept(seen)
            if kept is not None:
                readers.shown(readers.view_of(kept))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
        place = error.__traceback__
        while place and place.tb_next:
            place = place.tb_next
        at = f"{place.tb_frame.f_code.co_filename.rpartition('/')[2]}:{place.tb_lineno}" if place else ""
        return f"{at} {error!r}"[:200]
    return ""


def counted(found: Iterator[str]) -> dict[str, int]:
    """How often each face failed, and where."""
    counts: dict[str, int] = {}
    for failure in found:
        if failure:
            counts[failure] = counts.get(failure, 0) + 1
    return counts


@pytest.mark.finding("M14")
@pytest.mark.finding("M13")
def test_answers_whatever_is_broken_at_random() -> None:
    random = Random(SEED)

    def tries() -> Iterator[str]:
        for number in range(rounds(full=20_000, short=1500)):
            base = BASES[number % len(BASES)]
            value = readers.mutated(readers.plain(base), random, random.randint(1, 6))
            yield failures(readers.observed(value, base), slowly=number % 25 == 0)

    assert counted(tries()) == {}


@pytest.mark.finding("M14")
@pytest.mark.parametrize("base", RICH, ids=["crashing", "starting", "updating", "caching"])
def test_answers_with_one_field_of_another_type(base: Observation) -> None:
    def tries() -> Iterator[str]:
        for number, value in enumerate(readers.single_mutations(readers.plain(base))):
            if FULL or number % 11 == 0:
                yield failures(readers.observed(value, base), slowly=number % 275 == 0)

    assert counted(tries()) == {}
