"""How browsers hear of changes: a stream that goes on where it was cut, and the same for those who ask again."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tests.support.daemon import SMOL, model_of
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.session.session import Session
    from tests.support.jupyter import Jupyter

ASLEEP = {**SMOL, "min_replicas": 0}
Event = tuple[str, str, Any]


def first(events: Iterator[Event], kind: str, name: str = "") -> Event:
    """The first event of this kind, about this Model."""
    return next(event for event in events if event[0] == kind and name in ("", named(event)))


def named(event: Event) -> str:
    return event[2].get("name") or event[2].get("row", {}).get("name", "")


def test_tells_all_models_and_then_every_change(jupyter: Jupyter, session: Session) -> None:
    begin = time.time()
    model = session.serve(name="told", **ASLEEP)
    with jupyter.stream() as events:
        assert next(events)[0] == "reset"
        told = first(events, "model", "told")[2]
        assert (told["row"]["phase"], told["card"]["phase"]) == ("Asleep", "Asleep")
        assert told["card"]["sent_at_seconds"] >= begin
        assert first(events, "link")[2]["link"] == "live"
        model.delete()
        assert first(events, "gone")[2] == {"name": "told"}


def test_goes_on_after_the_last_event_that_was_read(jupyter: Jupyter, session: Session) -> None:
    model = session.serve(name="resumed", **ASLEEP)
    session.serve(name="other", **ASLEEP)
    last = settled(jupyter, 2)
    model.delete()
    read = []
    with jupyter.stream(last) as events:
        for event in events:
            read.append((event[0], named(event)))
            if event[0] == "gone":
                break
    assert read[-1] == ("gone", "resumed")
    assert not [name for kind, name in read if kind == "reset" or name == "other"]


def settled(jupyter: Jupyter, count: int) -> str:
    """The newest id, once so many Models are told and nothing more changes."""

    def quiet() -> str | None:
        all_told = jupyter.ask("GET", "changes")[1]
        asleep = [one["card"]["phase"] == "Asleep" for one in all_told["models"]]
        new = jupyter.ask("GET", "changes", query={"since": all_told["id"]})[1]
        return all_told["id"] if asleep == [True] * count and not new["models"] else None

    return str(until(quiet, 20))


def test_begins_anew_for_whoever_comes_from_another_server(jupyter: Jupyter) -> None:
    mark = jupyter.ask("GET", "changes")[1]["id"].partition("-")[0]
    for last in (f"{mark}-{'9' * 6000}", f"{mark}-99", "00000000-5", "x", "00000000-", "-1", "9" * 500):
        with jupyter.stream(last) as events:
            assert next(events)[0] == "reset"
        assert jupyter.ask("GET", "changes", query={"since": last})[1]["reset"] is True


def test_tells_who_asks_again_only_what_is_new(jupyter: Jupyter, session: Session) -> None:
    session.serve(name="polled", **ASLEEP)

    def all_there() -> dict[str, Any] | None:
        answer = jupyter.ask("GET", "changes")[1]
        return answer if "polled" in [one["row"]["name"] for one in answer["models"]] else None

    there = until(all_there)
    again = jupyter.ask("GET", "changes", query={"since": there["id"]})[1]
    assert again["reset"] is False
    session.attach("polled").delete()

    def gone() -> bool:
        answer = jupyter.ask("GET", "changes", query={"since": there["id"]})[1]
        return {"name": "polled"} in answer["gone"] and not answer["reset"]

    assert until(gone)


def test_tells_a_model_that_nobody_served_from_here(jupyter: Jupyter, session: Session) -> None:
    with jupyter.stream() as events:
        first(events, "link")
        session.cluster.create_model(model_of("kubectls", minReplicas=0))
        assert first(events, "model", "kubectls")


def test_ends_no_stream_for_a_place_that_is_refused(jupyter: Jupyter, session: Session) -> None:
    with jupyter.stream() as events:
        first(events, "link")
        assert jupyter.ask("POST", "where", {"namespace": "nosuch"})[0] == 404
        session.serve(name="stays", **ASLEEP)
        assert first(events, "model", "stays")


def test_serves_many_streams_by_one_subscription(jupyter: Jupyter, session: Session) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(jupyter.stream()) for _ in range(20)]
        for events in streams:
            first(events, "link")
        session.serve(name="shared", **ASLEEP)
        ids = {first(events, "model", "shared")[1] for events in streams}
        assert len({one.partition("-")[0] for one in ids}) == 1
