"""Which Pod the gateway picks."""

from __future__ import annotations

import pytest

from kubeai_notebook.local.emulation.balancing import chosen

PODS = ["a", "b", "c"]
LEAST = {"strategy": "LeastLoad"}
HASHED = {"strategy": "PrefixHash", "prefixHash": {"meanLoadFactor": 125, "replication": 256, "prefixCharLength": 100}}


def hashed(active, *, able=PODS, key="x", uids=PODS, factor=125):
    strategy = {"strategy": "PrefixHash", "prefixHash": HASHED["prefixHash"] | {"meanLoadFactor": factor}}
    return chosen(uids, active, able=able, strategy=strategy, key=key)


@pytest.mark.parametrize(
    ("active", "able", "picked"),
    [
        ({"a": 2, "b": 1, "c": 3}, PODS, "bbb"),
        ({}, PODS, "abc"),
        ({"b": 1}, PODS, "aca"),
        ({"a": 1, "b": 1, "c": 1}, PODS, "abc"),
        ({"a": 1}, ["a"], "aaa"),
        ({"a": 1, "b": 1}, ["a", "b"], "aba"),
    ],
)
def test_picks_one_of_the_pods_with_fewest_requests(active, able, picked):
    picks = [chosen(PODS, active, able=able, strategy=LEAST, key="x", turn=turn) for turn in range(3)]
    assert "".join(picks) == picked


def test_sends_one_prefix_to_one_pod_and_all_prefixes_to_all():
    picks = {key: hashed({}, key=key) for key in map(str, range(300))}
    assert all(hashed({}, uids=PODS[::-1], key=key) == uid for key, uid in picks.items())
    counts = [list(picks.values()).count(uid) for uid in PODS]
    assert min(counts) > 50
    smaller = {key: hashed({}, uids=PODS[:2], able=PODS[:2], key=key) for key in picks}
    assert all(smaller[key] == uid for key, uid in picks.items() if uid != "c")


@pytest.mark.parametrize(
    ("usual", "others", "factor", "stays"),
    [
        (0, 0, 125, True),
        (1, 0, 125, False),  # (1 + 1) / 3 * 1.25 = 0.83
        (1, 1, 100, True),  # (3 + 1) / 3 = 1.33
        (1, 1, 125, True),
        (2, 1, 100, False),  # (4 + 1) / 3 = 1.67
        (2, 1, 125, True),  # 2.08: over the bound by one once it is taken
        (3, 1, 125, False),  # (5 + 1) / 3 * 1.25 = 2.5
        (3, 1, 150, True),  # 3: just at the bound
        (10, 0, 125, False),
        (10, 10, 125, True),
        (10, 0, 1000, True),
    ],
)
def test_passes_over_a_pod_that_has_more_than_its_share(usual, others, factor, stays):
    first = hashed({})
    active = {uid: usual if uid == first else others for uid in PODS}
    assert (hashed(active, factor=factor) == first) is stays


def test_shares_over_all_pods_when_only_some_have_the_adapter():
    first = hashed({}, able=["a", "b"])
    (other,) = {"a", "b"} - {first}
    assert hashed({first: 1}, able=["a", "b"]) == other
    assert hashed({first: 2, "c": 9}, able=["a", "b"]) == first  # (11 + 1) / 3 * 1.25 = 5
    assert hashed({first: 3, other: 3}, able=["a", "b"]) == first  # 2.9: none is below, so the first of those able.
