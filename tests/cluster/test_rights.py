"""What may be done, and how a missing right is told."""

from __future__ import annotations

import yaml

from kubeai_notebook.cluster.rights import RIGHTS, Rights, right_to
from tests.support.faults import denied


def test_misses_nothing_where_everything_is_allowed(cluster, api) -> None:
    assert cluster.rights().missing == ()
    asked = api.count("create", "selfsubjectaccessreviews")
    assert asked == len(RIGHTS)
    cluster.rights()
    assert api.count("create", "selfsubjectaccessreviews") == asked


def test_names_what_is_missing_and_the_rule_that_grants_it(cluster, api) -> None:
    api.faults += [denied("delete", "pods"), denied("get", "pods/log")]
    missing = cluster.rights().missing
    assert [(right.verb, right.resource) for right in missing] == [("delete", "pods"), ("get", "pods/log")]
    assert missing[1].role_line == '- {apiGroups: [""], resources: ["pods/log"], verbs: ["get"]}'
    assert yaml.safe_load(cluster.rights().role_rules) == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]


def test_asks_again_as_long_as_something_is_missing(cluster, api) -> None:
    api.faults.append(denied("list", "events"))
    assert cluster.rights().missing
    api.faults.clear()
    assert not cluster.rights().missing


def test_says_in_a_sentence_what_a_missing_right_takes_away() -> None:
    assert right_to("list", "events").note == (
        "You may not list events here: why a Pod waits may stay unknown. "
        'A Role with this rule grants it: - {apiGroups: [""], resources: ["events"], verbs: ["list"]}'
    )


def test_joins_resources_that_lack_the_same_verbs() -> None:
    rules = yaml.safe_load(Rights(RIGHTS).role_rules)
    assert {
        "apiGroups": ["kubeai.org"],
        "resources": ["models"],
        "verbs": ["create", "patch", "delete", "list", "watch"],
    } in rules
    assert {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]} in rules
