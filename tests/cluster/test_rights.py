"""What may be done, and how a missing right is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubeai_notebook.cluster.rights import RIGHTS, Rights, right_to, rights_of
from kubeai_notebook.core.whereabouts import Whereabouts
from kubeai_notebook.errors import ClusterError, ForbiddenError, KubeAIError, NotFoundError, NotInstalledError
from tests.support.faults import denied

if TYPE_CHECKING:
    from collections.abc import Collection


def test_asks_one_question_where_everything_is_allowed(cluster, api) -> None:
    assert cluster.rights().missing == ()
    assert [str(request) for request in api.requests] == ["create selfsubjectrulesreviews"]
    cluster.rights()
    assert len(api.requests) == 1


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


class Reviews:
    """An API that answers reviews: with the status ``rules``, and with the rights in ``granted``, or with an error."""

    where = Whereabouts(server="https://api")

    def __init__(self, rules: Any, granted: Collection[str] | KubeAIError = ()) -> None:
        self.rules, self.granted = rules, granted
        self.asked: list[str] = []

    def request(self, method: str, path: str, *, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(path.rpartition("/")[2])
        answer = self.rules
        if body["kind"] == "SelfSubjectAccessReview":
            wanted = body["spec"]["resourceAttributes"]
            resource = "/".join(filter(None, (wanted["resource"], wanted["subresource"])))
            answer = self.granted
            if not isinstance(answer, KubeAIError):
                answer = {"allowed": f"{wanted['verb']} {resource}" in answer}
        if isinstance(answer, KubeAIError):
            raise answer
        return {"kind": body["kind"], "metadata": {}, "spec": {}, "status": answer}


def status_of(*rules: dict[str, Any], incomplete: bool = False) -> dict[str, Any]:
    return {"resourceRules": list(rules), "nonResourceRules": [], "incomplete": incomplete}


def rule(verbs: str, groups: str, resources: str, **more: Any) -> dict[str, Any]:
    return {"verbs": verbs.split(), "apiGroups": groups.split(","), "resources": resources.split(), **more}


def missing_of(api: Reviews) -> set[str]:
    return {f"{right.verb} {right.resource}" for right in rights_of(api, "default").missing}


ALL = {f"{right.verb} {right.resource}" for right in RIGHTS}


@pytest.mark.parametrize(
    ("given", "granted"),
    [
        (rule("*", "*", "*"), ALL),
        (rule("*", "kubeai.org", "*"), {right for right in ALL if right.endswith(" models")}),
        (rule("get list", "", "pods"), {"list pods"}),
        (rule("list watch", "*", "pods events"), {"list pods", "watch pods", "list events", "watch events"}),
        (rule("*", "batch", "jobs"), {"list jobs", "watch jobs"}),
        (rule("list", "", "jobs"), set()),
        (rule("*", "", "pods"), {"list pods", "watch pods", "delete pods"}),
        (rule("get", "", "pods/log"), {"get pods/log"}),
        (rule("get", "", "*/log"), {"get pods/log"}),
        (rule("get", "", "pods/*"), set()),
        (rule("create", "", "*/proxy"), {"create services/proxy"}),
        (rule("get list", "", "secrets", resourceNames=["kubeai"]), set()),
        (rule("get", "", "configmaps", resourceNames=[]), {"get configmaps"}),
        ({"verbs": ["*"]}, set()),
        ({"verbs": ["list"], "apiGroups": None, "resources": "pods"}, set()),
    ],
)
def test_reads_what_a_rule_grants(given, granted) -> None:
    api = Reviews(status_of(given))
    assert missing_of(api) == ALL - granted
    assert api.asked == ["selfsubjectrulesreviews"]


def test_adds_what_several_rules_grant() -> None:
    rules = status_of(rule("list", "", "pods"), rule("watch", "", "pods"), rule("*", "kubeai.org", "models"))
    assert not {"list pods", "watch pods", "create models"} & missing_of(Reviews(rules))


def test_asks_for_each_right_that_an_incomplete_answer_does_not_grant() -> None:
    api = Reviews(status_of(rule("*", "kubeai.org", "*"), incomplete=True), granted={"list pods"})
    assert missing_of(api) == {right for right in ALL if not right.endswith(" models")} - {"list pods"}
    assert len(api.asked) == 1 + len([right for right in ALL if not right.endswith(" models")])


def test_asks_no_more_where_an_incomplete_answer_grants_everything() -> None:
    api = Reviews(status_of(rule("*", "*", "*"), incomplete=True))
    assert missing_of(api) == set()
    assert len(api.asked) == 1


@pytest.mark.parametrize("refusal", [ForbiddenError("no"), NotFoundError("none"), NotInstalledError("none")])
def test_takes_everything_for_granted_where_the_api_does_not_tell(refusal) -> None:
    assert missing_of(Reviews(refusal, granted=refusal)) == set()


def test_asks_singly_where_rules_are_kept_secret() -> None:
    assert missing_of(Reviews(ForbiddenError("no"), granted=ALL - {"delete pods"})) == {"delete pods"}


def test_takes_no_answer_without_rules_for_one() -> None:
    assert missing_of(Reviews({"resourceRules": None, "nonResourceRules": None, "incomplete": False})) == ALL
    for status in (None, {}, [], {"resourceRules": []}, {"incomplete": "no"}):
        with pytest.raises(ClusterError, match="no Kubernetes API answers"):
            rights_of(Reviews(status), "default")


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
        "verbs": ["create", "patch", "delete", "get", "list", "watch"],
    } in rules
    assert {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "watch"]} in rules
