"""Pages, and what a watcher sees of a change."""

from __future__ import annotations

import pytest

from kubeai_notebook.local.emulation.kinds import PODS
from kubeai_notebook.local.emulation.listing import Change, Page, list_of, page_of, rewound, watch_events
from kubeai_notebook.local.emulation.refusals import StatusError


def pod(name, **labels):
    return {"metadata": {"name": name, "namespace": "default", "labels": labels}}


def test_goes_on_from_page_to_page():
    pods, seen, query = [pod(name) for name in "abcde"], [], {"limit": "2"}
    while query is not None:
        page = list_of(PODS, pods, Page(2, 7, page_of(query).after), selected=lambda _item: True, whole=True)
        seen.append([item["metadata"]["name"] for item in page["items"]])
        token = page["metadata"].get("continue")
        query = {"limit": "2", "continue": token} if token else None
    assert seen == [["a", "b"], ["c", "d"], ["e"]]


def test_says_how_many_are_left_only_where_no_selector_chooses():
    page = Page(1, 7, "")
    found = [
        list_of(PODS, [pod("a"), pod("b")], page, selected=lambda _item: True, whole=whole) for whole in (True, False)
    ]
    assert [item["metadata"].get("remainingItemCount") for item in found] == [1, None]


@pytest.mark.parametrize("token", ["!", "bm9uc2Vuc2U=", "/w=="])
def test_refuses_a_token_that_is_none(token):
    with pytest.raises(StatusError, match="continue key is not valid"):
        page_of({"continue": token})


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (None, pod("a", x="1"), ["ADDED"]),
        (pod("a"), pod("a", x="1"), ["ADDED"]),
        (pod("a", x="1"), pod("a", x="1"), ["MODIFIED"]),
        (pod("a", x="1"), pod("a"), ["DELETED"]),
        (pod("a", x="1"), None, ["DELETED"]),
        (pod("a"), None, []),
    ],
)
def test_shows_a_watcher_what_it_selects(before, after, kinds):
    change = Change(9, PODS, before, after)
    events = list(watch_events(change, "default", lambda item: item["metadata"]["labels"].get("x") == "1"))
    assert [kind for kind, _ in events] == kinds
    assert list(watch_events(change, "other", lambda _item: True)) == []


def test_takes_changes_back():
    now = {("default", "a"): pod("a", x="2"), ("default", "new"): pod("new")}
    changes = [Change(1, PODS, pod("a", x="1"), pod("a", x="2")), Change(2, PODS, None, pod("new"))]
    changes.append(Change(3, PODS, pod("gone"), None))
    assert rewound(now, PODS, changes) == {("default", "a"): pod("a", x="1"), ("default", "gone"): pod("gone")}
