"""What a Subscription keeps for whoever reads it, and how it ends."""

from __future__ import annotations

import asyncio
import threading

import pytest

from kubeai_notebook.core.observation import Observation
from kubeai_notebook.core.phase import ModelStatus
from kubeai_notebook.core.view import Link, View
from kubeai_notebook.errors import SessionClosedError
from kubeai_notebook.session.live.subscription import ALL, Change, Subscription


def change(name: str, revision: int, *, gone: bool = False) -> Change:
    model = {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": {}}
    observation = Observation(model=model)
    view = View(status=ModelStatus(phase="Ready"), findings=(), link=Link("live"), observation=observation)
    return Change(name, None if gone else view, revision)


def test_keeps_the_newest_change_of_each_model_only() -> None:
    changes = Subscription(ALL)
    for revision in range(1, 100):
        changes.put(change("often", revision))
    changes.put(change("once", 100))
    changes.put(change("often", 101))
    changes.end("It is over.")
    assert [(item.name, item.revision) for item in changes] == [("once", 100), ("often", 101)]


def test_gives_items_whose_revision_only_grows() -> None:
    changes = Subscription(ALL)
    given = []
    for revision in range(1, 200):
        changes.put(change(f"m-{revision % 7}", revision))
        if revision % 5 == 0:
            given.append(next(changes).revision)
    changes.end("It is over.")
    given += [item.revision for item in changes]
    assert given == sorted(set(given))


def test_holds_no_more_than_there_are_models_where_nobody_reads() -> None:
    changes = Subscription(ALL)
    for number in range(1_000):
        born = 2 * number + 1
        changes.put(change(f"short-{number}", born), born=born)
        changes.put(change(f"short-{number}", born + 1, gone=True), born=born)
    changes.put(change("there", 5_000), born=5_000)
    changes.end("It is over.")
    assert [item.name for item in changes] == ["there"]


def test_tells_that_a_model_is_gone_of_which_it_told_before() -> None:
    changes = Subscription(ALL)
    changes.put(change("m", 1), born=1)
    assert next(changes).view is not None
    changes.put(change("m", 2, gone=True), born=1)
    assert next(changes).view is None


def test_waits_until_something_holds_and_takes_what_came_before() -> None:
    changes = Subscription(["m"])
    threading.Timer(0.01, lambda: [changes.put(change("m", revision)) for revision in (1, 2, 3)]).start()
    found = changes.until(lambda item: item.revision == 3, 10)
    assert found is not None
    assert changes.until(lambda _item: True, 0) is None


def test_ends_whoever_waits_in_it() -> None:
    changes = Subscription(["m"])
    threading.Timer(0.01, changes.close).start()
    with pytest.raises(SessionClosedError, match="The Subscription was closed"):
        changes.until(lambda _item: True)
    assert list(changes) == []


def test_gives_the_last_items_before_it_ends() -> None:
    changes = Subscription(ALL)
    changes.put(change("m", 1))
    changes.end("The Session was closed.", [change("m", 2), change("n", 3)])
    changes.put(change("m", 4))
    assert [item.revision for item in changes] == [2, 3]
    assert changes.ended == "The Session was closed."


def test_is_read_by_a_coroutine() -> None:
    changes = Subscription(ALL)

    async def read() -> list[int]:
        return [item.revision async for item in changes]

    def write() -> None:
        for revision in range(1, 4):
            changes.put(change(f"m-{revision}", revision))
        changes.end("It is over.")

    async def both() -> list[int]:
        reading = asyncio.create_task(read())
        await asyncio.sleep(0)  # so that it waits already when the first item comes
        await asyncio.to_thread(write)
        return await reading

    assert asyncio.run(both()) == [1, 2, 3]


def test_outlives_the_event_loop_of_one_who_read_it() -> None:
    changes = Subscription(ALL)

    async def wait_in_vain() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(changes), 0.01)

    asyncio.run(wait_in_vain())
    changes.put(change("m", 1))
    assert next(changes).revision == 1


def test_is_about_a_name_that_is_added_and_no_more_about_one_that_is_dropped() -> None:
    changes = Subscription(["a"])
    assert changes.take_new() == {"a"}
    changes.add("b")
    assert changes.take_new() == {"b"}
    changes.put(change("a", 1))
    changes.drop("a")
    changes.put(change("b", 2))
    assert (next(changes).name, changes.covers("a")) == ("b", False)
