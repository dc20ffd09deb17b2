"""Odd objects of an API server: each face answers, and no rule of the diagnosis raises."""

from __future__ import annotations

import logging
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.core.diagnosis import recorded, scenes
from tests.core.diagnosis.cluster_cases import CASES
from tests.core.diagnosis.quoted import quotes
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
        for number in range(rounds(full=20_000, short=1_200)):
            base = BASES[number % len(BASES)]
            value = readers.mutated(readers.plain(base), random, random.randint(1, 6))
            yield failures(readers.observed(value, base), slowly=number % 25 == 0)

    assert counted(tries()) == {}


@pytest.mark.finding("M14")
@pytest.mark.parametrize("base", RICH, ids=["crashing", "starting", "updating", "caching"])
def test_answers_with_one_field_of_another_type(base: Observation) -> None:
    def tries() -> Iterator[str]:
        for number, value in enumerate(readers.single_mutations(readers.plain(base))):
            if FULL or number % 19 == 0:
                yield failures(readers.observed(value, base), slowly=number % 190 == 0)

    assert counted(tries()) == {}


BREAKS = ("\n", "\r\n", "\n\n", "\r", "\u2028", "\x0b", "\x85")
FAILED = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}


def told(message: str) -> list[Observation]:
    """The same message wherever an Observation may carry one."""
    model, job = scenes.model(cacheProfile="standard", pods=0), {"metadata": {"name": "load-cache-m"}}
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    disrupted = {"type": "DisruptionTarget", "status": "True", "reason": message, "message": message}
    ended = {"terminated": {"exitCode": 1, "reason": message, "message": message}}
    dead = {"name": "server", "state": ended, "lastState": ended, "restartCount": 1}
    failed_pod = scenes.pod(phase="Failed", status={"reason": "DeadlineExceeded", "message": message})
    failed_job = {**job, "status": {"failed": 1, "conditions": [{**FAILED, "message": message}]}}
    return [
        scenes.seen(None, failed_pod),
        scenes.seen(None, scenes.pod(phase="Failed", conditions=[disrupted])),
        scenes.seen(None, scenes.pod(phase="Failed", status={"reason": message, "message": message})),
        scenes.seen(None, scenes.pod("model-m-abc-1", dead)),
        scenes.seen(None, scenes.waiting(message, message)),
        scenes.seen(None, scenes.pod(phase="Pending", conditions=[condition], spec={"nodeName": ""})),
        scenes.seen(model, jobs=(failed_job,)),
        scenes.seen(None, scenes.waiting("ContainerCreating"), events=[scenes.event("FailedMount", message)]),
        scenes.seen(model, events=[scenes.event("FailedCreate", message, kind="Job", name="load-cache-m")]),
        scenes.seen(None, scenes.pod("model-m-abc-1"), events=[scenes.event("Unhealthy", message)]),
        scenes.seen(scenes.model(pods=0), refusal=message),
        scenes.answered(500, message),
        scenes.crash(message),
        scenes.seen(scenes.model(url=f"hf://a/{message}", args=[f"--port={message}"], env={"INFINITY_PORT": message})),
    ]


@pytest.mark.finding("M13")
@pytest.mark.parametrize("brk", BREAKS, ids=repr)
def test_takes_a_line_break_in_any_message(brk: str) -> None:
    texts = [quote["quote"] for quote in quotes().values() if "quote" in quote][:: rounds(full=2, short=13)]
    texts += [
        "Pod was active on the node longer than the specified deadline",
        "Job was active longer than specified deadline",
    ]

    def tries() -> Iterator[str]:
        for text in texts:
            middle = text.find(" ", len(text) // 2)
            for message in (f"first{brk}{text}{brk}last", f"{brk}{text}", f"{text[:middle]}{brk}{text[middle:]}"):
                for seen in told(message):
                    yield failures(seen, slowly=False)

    assert counted(tries()) == {}
