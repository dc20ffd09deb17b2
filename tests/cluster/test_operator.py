"""Where KubeAI is, its version and its configuration: from whatever may be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubeai_notebook.cluster.operator import operator_of, service_of
from kubeai_notebook.core.observation import Operator
from kubeai_notebook.errors import ForbiddenError, NotFoundError, UnreachableError
from tests.support.faults import denied

SERVICE = {"metadata": {"name": "kubeai", "namespace": "ai", "labels": {"app.kubernetes.io/version": "v0.22.1"}}}
CONFIG = {"metadata": {"name": "kubeai-config"}, "data": {"system.yaml": "resourceProfiles: {cpu: {}}"}}


class Recorded:
    """An API of recorded answers by path; what is not there is a NotFoundError, or the error given instead."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {key.replace("__", "/"): value for key, value in answers.items()}

    def request(self, _method: str, path: str, *, query: Any = None) -> Any:
        short = path.removeprefix("api/v1/").removeprefix("apis/apps/v1/").removeprefix("namespaces/")
        answer = self.answers.get(short, NotFoundError("not there"))
        if isinstance(answer, Exception):
            raise answer
        return answer


def deployment(image: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"labels": labels}, "spec": {"template": {"spec": {"containers": [{"image": image}]}}}}


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("ghcr.io/kubeai-project/kubeai:v0.23.2", "0.23.2"),
        ("registry.local:5000/kubeai:0.22.0", "0.22.0"),
        ("kubeai:v0.23.1@sha256:abc", "0.23.1"),
        ("kubeai@sha256:abc", "0.22.1"),
        ("kubeai:latest", "0.22.1"),
    ],
)
def test_reads_the_version_of_the_image_or_else_of_a_label(image: str, version: str) -> None:
    api: Any = Recorded(ai__services__kubeai=SERVICE, ai__deployments__kubeai=deployment(image))
    assert operator_of(api, "ai").version == version


def test_finds_the_namespace_that_holds_kubeai() -> None:
    api: Any = Recorded(services={"items": [SERVICE]}, **{"ai/configmaps/kubeai-config": CONFIG})
    found = operator_of(api, "team")
    assert found == Operator(namespace="ai", version="0.22.1", config={"resourceProfiles": {"cpu": {}}})


def test_does_not_choose_among_several() -> None:
    other = json.loads(json.dumps(SERVICE)) | {"metadata": {"name": "kubeai", "namespace": "other"}}
    api: Any = Recorded(services={"items": [SERVICE, other]})
    assert service_of(api, "team") is None
    assert operator_of(api, "team") == Operator()


def test_prefers_its_own_namespace() -> None:
    api: Any = Recorded(team__services__kubeai={"metadata": {"name": "kubeai"}}, services={"items": [SERVICE]})
    found = service_of(api, "team")
    assert found is not None
    assert found["metadata"]["namespace"] == "team"


def test_knows_the_configuration_where_services_may_not_be_read() -> None:
    no = ForbiddenError("no")
    api: Any = Recorded(team__services__kubeai=no, services=no, **{"team/configmaps/kubeai-config": CONFIG})
    found = operator_of(api, "team")
    assert (found.namespace, found.config) == ("team", {"resourceProfiles": {"cpu": {}}})


def test_takes_a_renamed_configuration_by_its_label() -> None:
    items = [{"metadata": {"name": "other"}}, {**CONFIG, "metadata": {"name": "models-config"}}]
    api: Any = Recorded(ai__services__kubeai=SERVICE, ai__configmaps={"items": items})
    assert operator_of(api, "ai").config == {"resourceProfiles": {"cpu": {}}}


def test_leaves_out_a_configuration_that_is_no_yaml() -> None:
    broken = {"metadata": {"name": "kubeai-config"}, "data": {"system.yaml": "a: [b"}}
    api: Any = Recorded(ai__services__kubeai=SERVICE, **{"ai/configmaps/kubeai-config": broken})
    assert operator_of(api, "ai").config is None


def test_says_when_the_api_does_not_answer() -> None:
    api: Any = Recorded(ai__services__kubeai=UnreachableError("gone"))
    with pytest.raises(UnreachableError):
        operator_of(api, "ai")


def test_reads_that_of_this_machine(cluster) -> None:
    found = cluster.operator()
    assert found.namespace == "default"
    assert "cpu" in found.config["resourceProfiles"]


def test_knows_as_much_as_may_be_read(cluster, api) -> None:
    api.faults += [denied("get", "configmaps"), denied("list", "configmaps")]
    found = cluster.operator()
    assert (found.namespace, found.config) == ("default", None)
