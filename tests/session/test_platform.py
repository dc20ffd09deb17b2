"""Projects, functions and runs: the platform's words on the Models of a cluster."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from kubeai_notebook import Session, get_or_create_project
from kubeai_notebook.errors import DeployError, NotFoundError, SpecError
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook import Project
    from kubeai_notebook.session.platform import Run

SMOL = {"model_name": "smol", "url": "ollama://smollm2:135m", "engine": "OLlama", "features": ["TextGeneration"]}
ASLEEP = {"scaling": {"min_replicas": 0}}
VALUE = "a-very-secret-value"


@pytest.fixture
def project(session: Session) -> Iterator[Project]:
    """A project of its own for each test, without its secrets afterwards."""
    made = get_or_create_project("lab", session=session)
    yield made
    for secret in made.list_secrets():
        made.delete_secret(secret.name)


@pytest.fixture
def asleep(project: Project) -> Run:
    """A run that costs nothing: no replica before the first request."""
    return project.new_function("llm", **SMOL).run(**ASLEEP).wait()


def environment_of(run: Run) -> dict[str, str]:
    """What the run's Pods get from Secrets."""
    cluster = run.model.session.cluster
    found = cluster.model(run.name)["spec"].get("envFrom", [])
    data = [cluster.secret(source["secretRef"]["name"])["data"] for source in found]
    return {key: b64decode(value).decode() for one in data for key, value in one.items()}


def test_serves_a_function_under_a_name_of_its_own_each_time(project: Project) -> None:
    function = project.new_function("llm", kind="kubeai-text", **SMOL)
    first, second = function.run(action="serve", **ASLEEP), function.run(action="serve", **ASLEEP)
    assert first.name != second.name
    assert {run.name for run in function.list_runs()} == {first.name, second.name}


def test_takes_any_text_for_the_models_name_as_the_platform_does(project: Project) -> None:
    run = project.new_function("llm", **{**SMOL, "model_name": "Llama 3.1_8B"}).run(**ASLEEP)
    assert run.name.startswith("llama-3.1-8b-")


def test_warns_of_dots_in_a_name_that_the_platform_takes_out(project: Project) -> None:
    dotted = project.new_function("llm", **{**SMOL, "model_name": "llama-3.1"}).plan(**ASLEEP)
    assert [notice.field for notice in dotted.notices if notice.code == "DotsInName"] == ["name"]
    plain = project.new_function("llm", **SMOL).plan(**ASLEEP)
    assert [notice for notice in plain.notices if notice.code == "DotsInName"] == []


def test_warns_of_what_the_platform_would_take_where_a_field_is_left_out(project: Project) -> None:
    def warned(**fields: Any) -> list[str]:
        notices = project.new_function("llm", **fields).plan(**ASLEEP).notices
        return [notice.field for notice in notices if notice.code == "OtherOnThePlatform"]

    assert warned(url="ollama://smollm2:135m") == ["engine"]
    assert sorted(warned(url="ollama://all-minilm")) == ["engine", "features"]
    assert warned(**SMOL) == []
    assert warned(url="hf://HuggingFaceTB/SmolLM2-135M-Instruct") == []


def test_says_what_to_write_instead_of_a_model_of_the_platforms_store(project: Project) -> None:
    for make in (project.new_model, project.log_model, project.get_model):
        with pytest.raises(SpecError, match=r'new_function\(…, url="hf://org/model"\)'):
            make("bert")
    with pytest.raises(SpecError, match=r'new_function\(…, url="s3://bucket/bert"\)'):
        project.new_model(name="bert", kind="huggingface", path="s3://bucket/bert")
    with pytest.raises(SpecError, match="hf:// or s3://"):
        project.new_function("llm", **{**SMOL, "url": "store://lab/model/huggingface/bert"}).run()


def test_tells_its_status_by_attribute_and_by_key(asleep: Run) -> None:
    status = asleep.status
    base = status.openai.baseUrl
    assert status["openai"]["model"] == status.openai.model == status.openai["model"] == asleep.name
    assert status["service"]["urls"] == [f"{base}/models", f"{base}/chat/completions", f"{base}/completions"]
    assert status.service.urls == asleep.list_endpoints()
    assert (status.state, status.openai.engine, status.openai.features) == ("RUNNING", "OLlama", ["TextGeneration"])
    assert status.k8s.Model.metadata.name == asleep.name
    assert json.loads(json.dumps(status)) == status
    with pytest.raises(AttributeError, match='There is no "opnai" here. Did you mean "openai"?'):
        _ = status.opnai


def test_is_ready_when_it_says_so(project: Project) -> None:
    run = project.new_function("llm", **SMOL).run(wait=True)
    status = run.refresh().status
    assert (status.state, status.message) == ("RUNNING", f"Model {run.name} ready")
    assert "RUNNING" in repr(run)
    answer = run.invoke(json={"prompt": "The capital of France is", "max_tokens": 3, "temperature": 0})
    assert "Paris" in answer.json()["choices"][0]["text"]
    turns = [{"role": "user", "content": "Say hello."}]
    assert run.invoke("POST", f"{status.service.url}/chat/completions", json={"messages": turns, "max_tokens": 3})
    assert [model["id"] for model in run.invoke().json()["data"]] == [run.name]


def test_says_what_is_wrong_in_its_message(project: Project) -> None:
    function = project.new_function("llm", **SMOL)
    with pytest.raises(SpecError, match="Did you mean ollama://smollm2:"):
        project.new_function("llm", **{**SMOL, "url": "ollama://smollm2:136m"}).run()
    run = function.run(**ASLEEP)
    run.model.session.cluster.patch_model(run.name, {"spec": {"url": "ollama://smollm2:136m", "minReplicas": 1}})
    until(lambda: run.status.state == "ERROR", 60)
    with pytest.raises(DeployError):
        run.wait(60)
    status = run.status
    assert status.state == "ERROR"
    assert "smollm2:136m" in status.message


def test_stops_no_other_model_that_has_its_name_by_now(asleep: Run, project: Project) -> None:
    project.session.delete(asleep.name)
    another = project.session.serve(name=asleep.name, **{key: SMOL[key] for key in ("url", "engine")}, **ASLEEP)
    assert asleep.stop().status.state == "STOPPED"
    assert project.session.names() == [another.name]


def test_stops_and_deletes(asleep: Run, project: Project) -> None:
    assert asleep.stop() is asleep
    status = asleep.status
    assert (status.state, status.openai.model) == ("STOPPED", asleep.name)
    [kept] = get_or_create_project("lab", session=project.session).list_runs()
    assert (kept.id, kept.status.state, kept.function.name) == (asleep.id, "STOPPED", "llm")
    again = project.get_function("llm").run(**ASLEEP)
    assert [run.name for run in project.list_runs("llm")] == [again.name, asleep.name]
    assert project.list_runs("other") == []
    again.delete()
    project.session.serve(name=asleep.name, **{key: SMOL[key] for key in ("url", "engine")}, **ASLEEP)
    assert kept.status.state == "STOPPED"
    kept.delete()
    assert asleep.name in project.session.publisher.names()
    project.session.attach(asleep.name).delete()
    asleep.delete()
    assert asleep.status.state == "DELETED"
    assert project.list_runs() == []


def test_tells_when_somebody_else_deleted_it(asleep: Run) -> None:
    asleep.model.delete()
    assert asleep.status.state == "ERROR"
    assert "was deleted by somebody else" in asleep.status.message
    with pytest.raises(NotFoundError):
        asleep.wait(5)


def test_finds_runs_and_functions_from_another_kernel(project: Project, asleep: Run) -> None:
    project.session.serve(name="nobodys", **{key: SMOL[key] for key in ("url", "engine")}, **ASLEEP)
    get_or_create_project("other", session=project.session).new_function("llm", **SMOL).run(**ASLEEP)
    other = Session(context="local")
    try:
        there = get_or_create_project("lab", session=other)
        [run] = there.list_runs()
        assert (run.name, run.function.name, run.function.kind) == (asleep.name, "llm", "kubeai-text")
        assert there.get_run(asleep.name).status.openai.model == asleep.name
        again = there.get_function("llm").run(**ASLEEP)
        assert again.name.startswith("smol-")
        assert again.model.spec.url == SMOL["url"]
        assert {found.name for found in there.list_runs()} == {again.name, asleep.name}
    finally:
        other.close()


def test_finds_the_runs_that_the_platform_itself_has_made(project: Project, asleep: Run) -> None:
    labels = {
        "dhcore/project": "lab",
        "dhcore/runtime": "kubeai-text",
        "dhcore/run": "r",
        "digitalhub/function": "core",
    }
    made = project.session.serve(name="llm-core-0123456789abcdef", labels=labels, url=SMOL["url"], **ASLEEP)
    assert {run.name for run in project.list_runs()} == {made.name, asleep.name}
    [run] = project.list_runs("core")
    assert (run.function.name, run.function.kind, run.function.fields["name"]) == ("core", "kubeai-text", "llm-core")
    assert project.get_function("core").run(**ASLEEP).name.startswith("llm-core-")
    assert get_or_create_project("other", session=project.session).list_runs() == []


def test_says_where_a_function_is_kept_when_there_is_no_run_of_it(project: Project, asleep: Run) -> None:
    with pytest.raises(NotFoundError, match='has no run of a function "lm". Did you mean "llm"?'):
        project.get_function("lm")
    with pytest.raises(NotFoundError, match='has no run "smol".'):
        project.get_run("smol")


def test_plans_without_sending_anything(project: Project) -> None:
    receipt = project.new_function("llm", **SMOL).plan(profile="1xa100", args=["--max-model-len=8192"])
    assert receipt.refusal is not None
    assert 'There is no resource profile "1xa100"' in str(receipt.refusal)
    assert project.list_runs() == []


def test_gives_a_run_the_secrets_that_it_asks_for_and_no_other(project: Project) -> None:
    project.new_secret("API_KEY", secret_value=VALUE)
    project.new_secret("OTHER", SecretStr("another-value"))
    assert [secret.name for secret in project.list_secrets()] == ["API_KEY", "OTHER"]
    run = project.new_function("llm", **SMOL).run(secrets=["API_KEY"], **ASLEEP)
    assert environment_of(run) == {"API_KEY": VALUE}


def test_renews_a_secret_and_takes_it_away(project: Project) -> None:
    project.new_secret("API_KEY", "old")
    project.new_secret("API_KEY", VALUE)
    run = project.new_function("llm", **SMOL).run(secrets="API_KEY", **ASLEEP)
    assert environment_of(run) == {"API_KEY": VALUE}
    project.delete_secret("API_KEY")
    assert project.list_secrets() == []
    assert environment_of(run) == {"API_KEY": VALUE}


def test_shows_the_value_of_a_secret_nowhere(project: Project) -> None:
    secret = project.new_secret("API_KEY", VALUE)
    function = project.new_function("llm", **SMOL)
    run = function.run(secrets=["API_KEY"], **ASLEEP)
    receipt = function.plan(secrets=["API_KEY"])
    shown: list[Any] = [project, secret, project.list_secrets(), function, function.fields, run, run.status]
    shown += [run.model, run.model.yaml, run.model.spec, run.model.report(), receipt, receipt.yaml, vars(run)]
    shown += [run._repr_mimebundle_(), run.model.note]
    assert VALUE not in "\n".join(map(repr, shown))


def test_names_the_nearest_secret_and_the_line_that_makes_it(project: Project) -> None:
    function = project.new_function("llm", **SMOL)
    with pytest.raises(SpecError, match=r'"lab" has no secret "HF_TOKEN". It has none so far. Make it with: project'):
        function.run(secrets=["HF_TOKEN"])
    project.new_secret("HF_TOKEN", VALUE)
    with pytest.raises(SpecError) as raised:
        function.run(secrets=["HF_TOKN"])
    expected = 'Did you mean "HF_TOKEN"? Make it with: project.new_secret("HF_TOKN", secret_value=…)'
    assert expected in str(raised.value)
    assert project.list_runs() == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("API-KEY", VALUE, 'The secret\'s name "API-KEY" becomes a variable'),
        ("API_KEY", "", "The secret API_KEY needs a value"),
        ("API_KEY", 12345678, "The secret API_KEY needs a value"),
    ],
)
def test_refuses_a_secret_that_no_pod_could_read(project: Project, name: str, value: Any, sentence: str) -> None:
    with pytest.raises(SpecError) as raised:
        project.new_secret(name, value)
    assert sentence in str(raised.value)
    assert VALUE not in str(raised.value)
    assert "12345678" not in str(raised.value)


def test_passes_secrets_of_the_namespace_through(project: Project) -> None:
    session = project.session
    data = {"token": "aGZfdmFsdWU="}
    session.cluster.write_secret({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "data": data})
    try:
        run = project.new_function("llm", **SMOL).run(secrets={"HF_TOKEN": "hub:token"}, **ASLEEP)
        assert environment_of(run) == {"HF_TOKEN": "hf_value"}
    finally:
        session.cluster.delete_secret("hub")


def test_knows_one_action(project: Project) -> None:
    with pytest.raises(SpecError, match='has no action "deploy". Its one action is "serve".'):
        project.new_function("llm", **SMOL).run("deploy")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"engine": "VLM"},
            'There is no engine "VLM". KubeAI has OLlama, VLLM, FasterWhisper, Infinity. Did you mean "VLLM"?',
        ),
        ({"url": "http://x"}, 'The url "http://x" has no scheme that KubeAI knows.'),
        ({"adapters": [{"name": "a"}]}, "adapters[0].url"),
        ({"url": "store://lab/model/kubeai/tiny"}, "Give the url that the entry itself holds, such as hf:// or s3://."),
        (
            {"args": ["--x"]},
            'A function has no field "args". If it is a run\'s, give it to run(action="serve", args=…)',
        ),
    ],
)
def test_says_what_is_wrong_with_a_function_when_it_is_made(
    project: Project, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SpecError) as raised:
        project.new_function("llm", **{**SMOL, **fields})
    assert sentence in str(raised.value)


@pytest.mark.parametrize("name", ["My Lab", "a" * 64, "-lab"])
def test_refuses_a_projects_name_that_no_label_can_hold(session: Session, name: str) -> None:
    with pytest.raises(SpecError, match=r'may hold only small letters, digits and "-", 63 at most\. Call it "'):
        get_or_create_project(name, session=session)


def test_has_what_published_notebooks_read_of_a_run(asleep: Run) -> None:
    whole = asleep.to_dict()
    assert (asleep.kind, asleep.project, asleep.id) == ("kubeai-text+run", "lab", asleep.status.k8s.Model.metadata.uid)
    assert asleep.key == f"store://lab/run/kubeai-text+run/{asleep.id}"
    assert whole["status"] == asleep.status.to_dict() == json.loads(json.dumps(asleep.status))
    assert (whole["spec"]["engine"], whole["spec"]["function"], whole["metadata"]["name"]) == (
        "OLlama",
        "llm",
        asleep.name,
    )
    assert asleep.spec.to_dict()["url"] == SMOL["url"]


def test_shows_no_variable_of_a_run(project: Project) -> None:
    function = project.new_function("llm", **SMOL, image=f"registry/{VALUE}:1")
    run = function.run(env={"SOME_KEY": VALUE}, args=["--alias", VALUE], **ASLEEP)
    run.model.session.cluster.patch_model(run.name, {"spec": {"url": f"ollama://{VALUE}"}})
    until(lambda: "***" in run.status.openai.modelUrl)
    assert VALUE not in json.dumps(run.to_dict())
    assert "env" not in run.spec.to_dict()


def test_takes_what_the_platform_writes_down_and_nothing_serves(project: Project) -> None:
    function = project.new_function("llm", description="x", labels=["a"], embedded=True, uuid="u", **SMOL)
    plan = function.plan(extensions=[], profile="", processors=1, **ASLEEP)
    assert plan.spec.resource_profile == "cpu:1"
    assert function.plan(profile="cpu:1", processors=1, **ASLEEP).spec.resource_profile == "cpu:1"


def test_says_all_that_is_wrong_with_a_run_at_once(project: Project) -> None:
    with pytest.raises(SpecError) as raised:
        project.new_function("llm", **SMOL).run(profile="1xa100", max_length="5000")
    said = str(raised.value)
    assert 'no field "max_length"' in said
    assert "--max-model-len" in said
    assert 'no resource profile "1xa100"' in said
