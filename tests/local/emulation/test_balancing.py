"""Which Pod the gateway picks."""

from __future__ import annotations

from kubeai_notebook.local.emulation.balancing import chosen

PODS = ["a", "b", "c"]
HASHED = {"strategy": "PrefixHash", "prefixHash": {"meanLoadFactor": 125, "replication": 256, "prefixCharLength": 100}}


def test_picks_the_pod_with_fewest_requests():
    assert chosen(PODS, {"a": 2, "b": 1, "c": 3}, strategy={"strategy": "LeastLoad"}, key="x") == "b"


def test_sends_one_prefix_to_one_pod_and_all_prefixes_to_all():
    picks = {key: chosen(PODS, {}, strategy=HASHED, key=key) for key in map(str, range(300))}
    assert all(chosen(PODS[::-1], {}, strategy=HASHED, key=key) == uid for key, uid in picks.items())
    counts = [list(picks.values()).count(uid) for uid in PODS]
    assert min(counts) > 50
    smaller = {key: chosen(PODS[:2], {}, strategy=HASHED, key=key) for key in picks}
    assert all(smaller[key] == uid for key, uid in picks.items() if uid != "c")


def test_passes_over_a_pod_that_has_more_than_its_share():
    usual = chosen(PODS, {}, strategy=HASHED, key="x")
    busy = {uid: 10 if uid == usual else 0 for uid in PODS}
    assert chosen(PODS, busy, strategy=HASHED, key="x") != usual
    assert chosen(PODS, dict.fromkeys(PODS, 10), strategy=HASHED, key="x") == usual
