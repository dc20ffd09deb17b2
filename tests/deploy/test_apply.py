"""Plans, and the Model's own Secret: nothing half-made is left, no value is shown."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from kubeai_notebook import deploy, settings
from kubeai_notebook.cluster.client import CORE
from kubeai_notebook.core.served import SERVED_BY, served_by
from kubeai_notebook.core.spec import ModelSpec, spec_of
from kubeai_notebook.deploy.secrets import LABEL, sweep
from kubeai_notebook.errors import ConflictError, ForbiddenError, NotFoundError, SpecError
from kubeai_notebook.session import planning, verbs
from kubeai_notebook.session.session import Session
from tests.support.daemon import SMOL, Daemon
from tests.support.faults import Fault, answer_lost, denied, refuse
from tests.support.faulty_api import FaultyApi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.faulty_api import Exchange


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
    done = deploy.apply(session.cluster, sleeping(secrets={"API_KEY": SecretStr("new")}))
    assert (done.action, done.diff) == ("updated", ("secrets: API_KEY (changed)",))
    assert data_of(session) == {"API_KEY": "new"}


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


@pytest.fixture
def api(daemon: str, session: Session) -> Iterator[FaultyApi]:
    """A proxy before the API of ``session``, which stays without faults."""
    with FaultyApi(Path(daemon)) as api:
        yield api


@pytest.fixture
def behind(api: FaultyApi, tmp_path: Path) -> Iterator[Session]:
    """A Session that meets the proxy's faults."""
    with Session(settings=settings.Settings(kubeconfig=str(api.kubeconfig(tmp_path / "behind")))) as session:
        yield session


def for_real(verb: str, resource: str) -> Fault:
    """A request that is refused, but not its dry run."""

    def act(exchange: Exchange) -> None:
        if "dryRun" in exchange.asked.query:
            exchange.pass_on()
        else:
            refuse(403, "Forbidden", f'User "alice" cannot {verb} resource "{resource}"')(exchange)

    return Fault(act, verb, resource)


def test_says_that_the_value_of_a_secret_changed_and_what_brings_it_in(session: Session) -> None:
    session.serve(sleeping(secrets={"API_KEY": SecretStr("old"), "OTHER": SecretStr("same")}))
    renewed = sleeping(secrets={"API_KEY": SecretStr("new"), "OTHER": SecretStr("same")})
    receipt = session.plan(renewed)
    assert receipt.title == "asleep would be changed; its Pods go on."
    assert "secrets: API_KEY (changed)" in repr(receipt)
    model = session.serve(renewed)
    assert model.outcome is not None
    assert (model.outcome.action, model.outcome.restarts) == ("updated", False)
    assert model.note == (
        "asleep is updated, its Pods go on: secrets: API_KEY (changed). "
        "Pods that run keep the old values until they are replaced: restart() does that."
    )
    again = session.serve(renewed).outcome
    assert again is not None
    assert again.action == "attached"


def test_takes_a_value_away_that_the_spec_no_longer_has(session: Session) -> None:
    session.serve(sleeping(secrets={"API_KEY": SecretStr("x"), "OLD": SecretStr("y")}))
    done = deploy.apply(session.cluster, sleeping(secrets={"API_KEY": SecretStr("x")}))
    assert (done.diff, data_of(session)) == (("secrets: OLD (changed)",), {"API_KEY": "x"})


@pytest.mark.parametrize("fault", [denied("patch", "models"), for_real("patch", "models")])
def test_leaves_the_secret_of_a_running_model_as_it_was_when_its_update_is_refused(
    session: Session, behind: Session, api: FaultyApi, fault: Fault
) -> None:
    deploy.apply(session.cluster, sleeping(secrets={"API_KEY": SecretStr("old")}))
    before = session.cluster.secret("asleep-secrets")
    api.faults.append(fault)
    changed = sleeping(secrets={"API_KEY": SecretStr("new"), "MORE": SecretStr("x")}, args=["--max-model-len=512"])
    with pytest.raises(ForbiddenError):
        deploy.apply(behind.cluster, changed)
    after = session.cluster.secret("asleep-secrets")
    assert data_of(session) == {"API_KEY": "old"}
    assert after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]


def test_leaves_nothing_behind_when_the_secret_cannot_be_tied_to_its_model(
    session: Session, behind: Session, api: FaultyApi
) -> None:
    api.faults.append(denied("patch", "secrets"))
    with pytest.raises(ForbiddenError) as raised:
        deploy.apply(behind.cluster, sleeping(secrets={"API_KEY": SecretStr("x")}))
    assert "still there" not in str(raised.value)
    assert session.cluster.models() == []
    assert "asleep-secrets" not in session.cluster.secret_names()


def test_says_exactly_what_it_could_not_take_back(session: Session, behind: Session, api: FaultyApi) -> None:
    api.faults += [denied("patch", "secrets"), denied("delete", "models"), denied("delete", "secrets")]
    with pytest.raises(ForbiddenError) as raised:
        deploy.apply(behind.cluster, sleeping(secrets={"API_KEY": SecretStr("x")}))
    assert 'The Model "asleep" was created and is still there: ' in raised.value.hint
    assert 'The Secret "asleep-secrets" keeps the new values: ' in raised.value.hint


def test_updates_a_secret_that_may_be_written_but_not_read(session: Session, behind: Session, api: FaultyApi) -> None:
    deploy.apply(session.cluster, sleeping(secrets={"API_KEY": SecretStr("old")}))
    api.faults.append(denied("get", "secrets"))
    done = deploy.apply(behind.cluster, sleeping(secrets={"API_KEY": SecretStr("new")}))
    assert (done.action, data_of(session)) == ("updated", {"API_KEY": "new"})


def meanwhile(daemon: str, patch: dict[str, Any]) -> Fault:
    """Somebody else is faster, once."""

    def act(exchange: Exchange) -> None:
        other = Daemon(Path(daemon).parent)
        status, answer = other.api("PATCH", "/apis/kubeai.org/v1/namespaces/default/models/asleep", patch)
        assert status == 200, answer
        exchange.pass_on()

    return Fault(act, "patch", "models", times=1)


def test_writes_nothing_over_what_somebody_else_wrote_since_it_was_planned(
    session: Session, behind: Session, api: FaultyApi, daemon: str
) -> None:
    session.serve(sleeping())
    api.faults.append(meanwhile(daemon, {"spec": {"args": ["--theirs"]}}))
    with pytest.raises(ConflictError, match="asleep was changed by somebody else meanwhile, so nothing was changed"):
        behind.serve(sleeping(args=["--mine"]))
    assert session.cluster.model("asleep")["spec"]["args"] == ["--theirs"]


def test_plans_again_where_only_kubeai_wrote_meanwhile(
    session: Session, behind: Session, api: FaultyApi, daemon: str
) -> None:
    session.serve(sleeping())
    api.faults.append(meanwhile(daemon, {"metadata": {"labels": {"seen": "yes"}}}))
    assert behind.serve(sleeping(args=["--mine"])).spec.args == ("--mine",)


def test_writes_down_no_name_over_that_of_somebody_who_served_it_meanwhile(
    session: Session, behind: Session, api: FaultyApi, daemon: str
) -> None:
    session.serve(sleeping())
    planned = deploy.plan(behind.cluster, sleeping())
    api.faults.append(meanwhile(daemon, {"metadata": {"annotations": {SERVED_BY: "bob"}}}))
    assert deploy.apply(behind.cluster, sleeping(), planned, user="alice").action == "attached"
    assert served_by(session.cluster.model("asleep")) == "bob"


def test_writes_down_who_served_it_where_only_kubeai_wrote_meanwhile(
    session: Session, behind: Session, api: FaultyApi, daemon: str
) -> None:
    session.serve(sleeping())
    planned = deploy.plan(behind.cluster, sleeping())
    api.faults.append(meanwhile(daemon, {"metadata": {"labels": {"seen": "yes"}}}))
    deploy.apply(behind.cluster, sleeping(), planned, user="alice")
    assert served_by(session.cluster.model("asleep")) == "alice"


def test_serves_a_plan_only_for_the_model_that_it_was_made_for(session: Session) -> None:
    session.serve(sleeping())
    receipt = planning.plan(session, sleeping(args=["--mine"]))
    session.serve(sleeping(args=["--theirs"]))
    with pytest.raises(ConflictError, match="Look at what it is now"):
        verbs.serve(session, receipt)
    assert session.cluster.model("asleep")["spec"]["args"] == ["--theirs"]


def test_finds_that_a_change_came_through_whose_answer_was_lost(
    session: Session, behind: Session, api: FaultyApi
) -> None:
    session.serve(sleeping())
    api.faults.append(answer_lost(verb="patch", resource="models", times=1))
    assert behind.serve(sleeping(args=["--mine"])).spec.args == ("--mine",)


def test_resumes_what_was_paused_with_the_replicas_that_it_had(session: Session) -> None:
    session.serve(sleeping(scaling={"min_replicas": 1}, url="ollama://no-such-model"), force=True).pause()
    planned = deploy.plan(session.cluster, sleeping(scaling={"min_replicas": 1}, url="ollama://no-such-model"))
    assert planned.changes == {"autoscalingDisabled": (True, None), "replicas": (0, 1)}
    deploy.apply(session.cluster, sleeping(scaling={"min_replicas": 1}, url="ollama://no-such-model"), planned)
    model = session.cluster.model("asleep")
    assert (model["spec"].get("autoscalingDisabled"), model["spec"]["replicas"]) == (None, 1)
    assert "kubeai-notebook/paused" not in model["metadata"]["annotations"]


def test_keeps_what_was_said_last_from_a_line_that_says_the_same(session: Session) -> None:
    session.serve(sleeping(args=["--a"]))
    before = session.cluster.model("asleep")["metadata"]["annotations"]
    session.serve(sleeping(args=["--a"]))
    assert session.cluster.model("asleep")["metadata"]["annotations"] == before


def test_remembers_no_label_as_a_spec_to_go_back_to(session: Session) -> None:
    session.serve(sleeping())
    model = session.serve(sleeping(labels={"team": "ds"}))
    with pytest.raises(NotFoundError, match="no earlier spec"):
        model.rollback()


def test_is_taken_away_later_where_somebody_else_had_set_it_first(session: Session) -> None:
    """An equal Model is left as it is, and yet what the line said is known the next time."""
    session.serve(sleeping())
    session.cluster.patch_model("asleep", {"spec": {"args": ["--a"]}})
    again = session.serve(sleeping(args=["--a"])).outcome
    assert again is not None
    assert again.action == "attached"
    assert session.serve(sleeping()).spec.args == ()
