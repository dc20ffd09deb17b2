"""Plans, and the Model's own Secret: nothing half-made is left, no value is shown."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from kubeai_notebook import deploy
from kubeai_notebook.cluster.client import CORE
from kubeai_notebook.core.spec import ModelSpec, spec_of
from kubeai_notebook.deploy.secrets import LABEL, sweep
from kubeai_notebook.errors import NotFoundError, SpecError
from tests.support.daemon import SMOL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.session.session import Session


@pytest.fixture
def hub(session: Session) -> Iterator[None]:
    """A Secret of the namespace that somebody else made."""
    cluster = session.cluster
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "data": {"token": "aGZfdmFsdWU="}}
    cluster.write_secret(manifest)
    yield
    cluster.delete_secret("hub")


def sleeping(**fields: Any) -> ModelSpec:
    return spec_of({"name": "asleep", "scaling": {"min_replicas": 0}, **SMOL, **fields})


def data_of(session: Session, name: str = "asleep-secrets") -> dict[str, str]:
    return {key: b64decode(value).decode() for key, value in session.cluster.secret(name)["data"].items()}


def test_plans_to_create_attach_and_update(session: Session) -> None:
    cluster = session.cluster
    assert deploy.plan(cluster, sleeping()).action == "create"
    deploy.apply(cluster, sleeping())
    assert deploy.plan(cluster, sleeping()).action == "attach"
    changed = deploy.plan(cluster, sleeping(args=["--max-model-len=512"]))
    assert (changed.action, changed.changes) == ("update", {"args": (None, ["--max-model-len=512"])})


def test_takes_a_field_away_that_the_spec_no_longer_has(session: Session) -> None:
    deploy.apply(session.cluster, sleeping(env={"A": "1"}))
    deploy.apply(session.cluster, sleeping())
    assert "env" not in session.cluster.model("asleep")["spec"]


def test_puts_values_and_renamed_keys_into_a_secret_that_goes_with_the_model(session: Session, hub: None) -> None:
    spec = sleeping(secrets={"API_KEY": SecretStr("very-secret"), "HF_TOKEN": "hub:token"})
    deploy.apply(session.cluster, spec)
    assert data_of(session) == {"API_KEY": "very-secret", "HF_TOKEN": "hf_value"}
    model = session.cluster.model("asleep")
    assert model["spec"]["envFrom"] == [{"secretRef": {"name": "asleep-secrets"}}]
    [owner] = session.cluster.secret("asleep-secrets")["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Model", model["metadata"]["uid"])
    assert "very-secret" not in str(model)


def test_renews_a_value_when_an_equal_spec_is_served_again(session: Session) -> None:
    deploy.apply(session.cluster, sleeping(secrets={"API_KEY": SecretStr("old")}))
    planned = deploy.apply(session.cluster, sleeping(secrets={"API_KEY": SecretStr("new")}))
    assert (planned.action, data_of(session)) == ("attach", {"API_KEY": "new"})


def test_names_the_keys_that_a_secret_has(session: Session, hub: None) -> None:
    with pytest.raises(SpecError, match='The Secret "hub" has no key "tokn". Its keys are: token.'):
        deploy.apply(session.cluster, sleeping(secrets={"HF_TOKEN": "hub:tokn"}))


def test_leaves_nothing_behind_when_a_secret_is_missing_or_the_model_is_refused(session: Session) -> None:
    cluster = session.cluster
    with pytest.raises(NotFoundError, match='no secret "nowhere"'):
        deploy.apply(cluster, sleeping(secrets={"HF_TOKEN": "nowhere:token"}))
    refused = sleeping(secrets={"API_KEY": SecretStr("x")}).model_copy(update={"url": "http://refused"})
    with pytest.raises(SpecError, match="url must start with"):
        deploy.apply(cluster, refused)
    secrets = cluster.api.request("GET", cluster.path(CORE, "secrets"))["items"]
    assert "asleep-secrets" not in [secret["metadata"]["name"] for secret in secrets]


def test_finds_a_secret_later_whose_model_never_came(session: Session) -> None:
    cluster = session.cluster
    deploy.apply(cluster, sleeping(secrets={"API_KEY": SecretStr("x")}))
    for name in ("lost", "foreign"):
        labels = {LABEL: name} if name == "lost" else {}
        cluster.write_secret({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}})
    sweep(cluster)
    assert "lost" in cluster.secret_names()
    sweep(cluster, young_seconds=-1)
    assert {"asleep-secrets", "foreign"} <= set(cluster.secret_names())
    assert "lost" not in cluster.secret_names()
    cluster.delete_secret("foreign")
