"""What a Subscription gives to a loop, to a wait and to a coroutine, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.errors import SessionClosedError
from kubeai_notebook.session.live.subscription import ALL, Change, Subscription
from tests.support.fake_api import MODELS, PODS, model, pod
from tests.support.views import view_in
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Collection

    from kubeai_notebook.session.live.publisher import Publisher


def change(name: str, revision: int, *, gone: bool = False) -> Change:
    return Change(name, None if gone else replace(view_in("Loading"), revision=revision), revision)


def revisions(changes: Collection[Change]) -> list[tuple[str, int]]:
    return [(change.name, change.revision) for change in changes]


def taken(subscription: Subscription, count: int) -> list[tuple[str, int]]:
    return revisions([next(subscription) for _ in range(count)])


def test_keeps_the_newest_change_of_each_name_in_the_order_of_their_revisions() -> None:
    subscription = Subscription(ALL)
    for name, revision in (("a", 1), ("b", 2), ("a", 3), ("c", 4), ("b", 5)):
        subscription.put(change(name, revision))
    assert taken(subscription, 3) == [("a", 3), ("c", 4), ("b", 5)]


def test_gives_items_whose_revision_only_grows() -> None:
    subscription = Subscription(ALL)
    given = []
    for revision in range(1, 200):
        subscription.put(change(f"m-{revision % 7}", revision))
        if revision % 5 == 0:
            given.append(next(subscription).revision)
    subscription.end("It is over.")
    given += [item.revision for item in subscription]
    assert given == sorted(set(given))


def test_says_that_a_model_is_gone_to_whom_it_was_shown_and_to_no_other() -> None:
    reads, never_reads = Subscription(ALL), Subscription(ALL)
    for subscription in (reads, never_reads):
        subscription.put(change("m", 1), born=1)
    assert next(reads).view is not None
    for revision, subscription in enumerate((reads, never_reads), 2):
        subscription.put(change("m", revision, gone=True), born=1)
        subscription.put(change("last", 9), born=9)
    assert (next(reads).view, next(reads).name) == (None, "last")
    assert next(never_reads).name == "last"


def test_holds_no_more_than_there_are_models_where_nobody_reads() -> None:
    subscription = Subscription(ALL)
    for number in range(1_000):
        born = 2 * number + 1
        subscription.put(change(f"short-{number}", born), born=born)
        subscription.put(change(f"short-{number}", born + 1, gone=True), born=born)
    subscription.put(change("there", 5_000), born=5_000)
    subscription.end("It is over.")
    assert [item.name for item in subscription] == ["there"]


def test_gives_up_after_the_time() -> None:
    subscription = Subscription(["m"])
    subscription.put(change("m", 1))
    assert subscription.until(lambda item: item.revision == 2, 0.01) is None


def test_waits_for_what_another_thread_brings() -> None:
    subscription = Subscription(["m"])
    bringer = threading.Timer(0.02, lambda: subscription.put(change("m", 7)))
    bringer.start()
    found = subscription.until(lambda item: item.revision == 7, 30)
    bringer.join()
    assert found is not None


def test_ends_a_loop_and_a_wait_that_go_on_in_other_threads() -> None:
    subscription, ends = Subscription(["m"]), []

    def loop() -> None:
        ends.append(list(subscription))

    def wait() -> None:
        with pytest.raises(SessionClosedError, match="closed"):
            subscription.until(lambda _item: False)
        ends.append([])

    threads = [threading.Thread(target=work) for work in (loop, wait)]
    for thread in threads:
        thread.start()
    subscription.close()
    for thread in threads:
        thread.join(10)
    assert ends == [[], []]


def test_gives_what_was_left_there_before_it_ended_and_then_says_why() -> None:
    subscription = Subscription(ALL)
    subscription.put(change("m", 1))
    subscription.end("The Session was closed.", [change("m", 2), change("n", 3)])
    subscription.put(change("m", 4))
    assert revisions(list(subscription)) == [("m", 2), ("n", 3)]
    assert subscription.ended == "The Session was closed."
    with pytest.raises(SessionClosedError, match=r"The Session was closed\."):
        subscription.until(lambda _item: True, 30)


def test_is_read_by_coroutines() -> None:
    subscription = Subscription(ALL)

    async def read() -> list[tuple[str, int]]:
        return [(item.name, item.revision) async for item in subscription]

    async def both() -> list[tuple[str, int]]:
        reader = asyncio.create_task(read())
        for revision in (1, 2):
            await asyncio.to_thread(subscription.put, change("m", revision))
            while subscription._pending:
                await asyncio.sleep(0)
        await asyncio.to_thread(subscription.end, "over")
        return await asyncio.wait_for(reader, 10)

    assert asyncio.run(both()) == [("m", 1), ("m", 2)]


def test_loses_no_change_to_a_coroutine_that_gave_up() -> None:
    subscription = Subscription(["m"])

    async def give_up_and_read() -> Change:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(subscription), 0.01)
        subscription.put(change("m", 1))
        return await asyncio.wait_for(anext(subscription), 10)

    assert asyncio.run(give_up_and_read()).revision == 1
    subscription.put(change("m", 2))  # the loop that waited is closed
    assert next(subscription).revision == 2


def test_takes_a_single_name_for_one_name() -> None:
    assert Subscription("smol").names == frozenset(["smol"])


def test_tells_first_how_each_model_is_also_that_there_is_none(canned: Any, publisher: Publisher) -> None:
    canned.change(MODELS, model("there"))
    until(publisher.names)
    with publisher.subscribe(["there", "missing"]) as changes:
        first = {item.name: item.view for item in (next(changes), next(changes))}
        assert first["missing"] is None
        assert first["there"] is not None
        assert changes.latest("there") is first["there"]
        assert changes.latest("missing") is None


def test_is_about_another_model_from_when_that_is_added(canned: Any, publisher: Publisher) -> None:
    canned.change(MODELS, model("a"))
    canned.change(MODELS, model("b"))
    until(lambda: len(publisher.names()) == 2)
    with publisher.subscribe(["a"]) as changes:
        assert next(changes).name == "a"
        changes.add("b")
        assert next(changes).name == "b"
        changes.drop("a")
        canned.change(PODS, pod("model-a-a-1", "a"))
        canned.change(PODS, pod("model-b-a-1", "b"))
        assert next(changes).name == "b"


def test_ends_with_the_session_and_shows_that_on_each_model(canned: Any, publisher: Publisher) -> None:
    canned.change(MODELS, model("m"))
    until(publisher.names)
    subscriptions = [publisher.subscribe(["m"]), publisher.subscribe(ALL)]
    first = [next(subscription).view for subscription in subscriptions]
    assert [view and view.link.state for view in first] == ["live", "live"]
    publisher.close()
    for subscription in subscriptions:
        assert [item.view.link.state for item in subscription if item.view] == ["closed"]
    late = publisher.subscribe(ALL)
    assert (list(late), late.ended) == ([], "The Session was closed.")


def test_is_let_go_where_nobody_holds_it(publisher: Publisher) -> None:
    subscription = weakref.ref(publisher.subscribe(ALL))
    gc.collect()
    assert subscription() is None


def test_leaves_what_comes_to_a_reader_that_never_reads_without_holding_the_models(
    canned: Any, publisher: Publisher
) -> None:
    never_reads = publisher.subscribe(ALL)
    with publisher.subscribe(ALL) as reads:
        for number in range(30):
            canned.change(MODELS, model(f"m-{number}"))
            assert reads.until(lambda item, name=f"m-{number}": item.name == name, 30)
            canned.change(MODELS, model(f"m-{number}"), gone=True)
            assert reads.until(lambda item: item.view is None, 30)
        canned.change(MODELS, model("last"))
        assert reads.until(lambda item: item.name == "last", 30)
        assert next(never_reads).name == "last"
