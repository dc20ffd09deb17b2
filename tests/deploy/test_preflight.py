"""The list that is gone through before a Model is sent."""

import re
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from kubeai_notebook.core.catalog.machine import Machine, MachineCatalog, MachineModel
from kubeai_notebook.core.kubeai.model_schema import ModelSchema
from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.observation import Operator
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.deploy import Facts, Plan, preflight
from kubeai_notebook.deploy.preflight import url_notices
from kubeai_notebook.present.form_wire import checklist
from kubeai_notebook.present.plan_report import PlanReport

CONFIG = {
    "resourceProfiles": {
        "cpu": {"requests": {"cpu": 1, "memory": "2Gi"}},
        "l4": {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}},
    },
    "modelServers": {name: {"images": {"default": "x/y:1"}} for name in ("OLlama", "VLLM", "Infinity")},
    "secretNames": {"huggingface": "kubeai-huggingface"},
}
SMOL = MachineModel(url="ollama://smollm2:135m", here=True)
CREATE = Plan(action="create", manifest={})


def facts(**changes):
    config = operator_config_of(CONFIG)
    fields = {"host": "https://api", "namespace": "ml", "operator_config": config, "secret_names": ()}
    return Facts(**{**fields, "operator": Operator(namespace="ml", version="0.22.1"), **changes})


def lines(spec=None, *, planned=CREATE, known=None, **fields):
    spec = spec_of({"name": "smol", "url": "ollama://smollm2:135m", **fields})
    return preflight(known or facts(), spec, planned)


def refusal(**fields):
    spec = spec_of({"name": "smol", "url": "ollama://smollm2:135m"})
    return PlanReport(spec, lines(**fields), CREATE).refusal


def bad(*args, **fields):
    return [(notice.severity, notice.code) for notice in lines(*args, **fields) if notice.severity != "info"]


def test_has_nothing_to_say_against_a_plain_model():
    assert bad() == []
    assert refusal() is None


def test_names_the_profile_that_is_meant():
    (line,) = [notice for notice in lines(resource_profile="l5:1") if notice.severity == "error"]
    assert line.code == "UnknownResourceProfile"
    assert line.remedies[0].title == "Write l4:1."
    assert line.remedies[0].patch({}) == {"spec": {"resourceProfile": "l4:1"}}


def test_makes_one_error_of_all_that_fails():
    known = facts(operator=Operator(namespace="kubeai"))
    error = refusal(resource_profile="l5:1", known=known)
    assert [problem.field for problem in error.notices] == ["namespace", "resource_profile"]
    assert 'KubeAI looks after namespace "kubeai" only' in str(error)


@pytest.mark.parametrize("version", ["0.23.2", "v0.23.3", "0.23.4"])
def test_warns_of_the_releases_that_pull_nothing(version):
    known = facts(operator=Operator(namespace="ml", version=version))
    assert bad(known=known) == [("warning", "ModelNotPulledThoughReady")]
    assert bad(known=known, url="hf://a/b") == []


def test_finds_a_secret_that_is_missing_or_cannot_be_seen():
    known = facts(secret_names=("hub-token",))
    (line,) = [notice for notice in lines(known=known, secrets=["hub-tokn"]) if notice.severity == "error"]
    assert (line.code, line.remedies[0].title) == ("SecretNotFound", 'Did you mean "hub-token"?')
    assert bad(known=facts(secret_names=None), secrets=["x"]) == [("warning", "SecretUnknown")]


def test_says_that_the_systems_token_wins():
    known = facts(secret_names=("kubeai-huggingface",))
    codes = [code for _, code in bad(known=known, url="hf://a/b", env={"HF_TOKEN": "x"})]
    assert "SystemTokenWins" in codes


def test_names_a_missing_right_and_the_rule_that_grants_it():
    right = SimpleNamespace(verb="create", resource="models", purpose="to serve", role_line="- verbs: [create]")
    (line,) = [notice for notice in lines(known=facts(missing_rights=(right,))) if notice.severity == "error"]
    assert "may not create models" in line.message
    assert "- verbs: [create]" in str(line)


def quota(**hard):
    used = {"requests.nvidia.com/gpu": "3", "count/models.kubeai.org": "1"}
    names = {"gpu": "requests.nvidia.com/gpu", "models": "count/models.kubeai.org"}
    status = {"hard": {names[key]: value for key, value in hard.items()}, "used": used}
    return {"metadata": {"name": "team"}, "status": status}


def test_counts_what_a_quota_leaves():
    known = facts(quotas=(quota(gpu="4"),))
    assert bad(known=known, url="hf://a/b", resource_profile="l4:1") == []
    (line,) = [
        notice for notice in lines(known=known, url="hf://a/b", resource_profile="l4:2") if notice.severity == "error"
    ]
    assert line.message == 'The quota "team" leaves 1 of requests.nvidia.com/gpu, and this Model needs 2.'


def test_names_what_the_quota_has_room_for():
    known = facts(quotas=(quota(gpu="4"),))
    (line,) = [
        notice for notice in lines(known=known, url="hf://a/b", resource_profile="l4:3") if notice.severity == "error"
    ]
    (remedy,) = line.remedies
    assert "set resource_profile l4:1, or ask for a higher quota" in remedy.title
    assert remedy.changes[0].value == "l4:1"
    full = lines(known=facts(quotas=(quota(gpu="3"),)), url="hf://a/b", resource_profile="l4:1")
    (line,) = [notice for notice in full if notice.severity == "error"]
    assert "choose a smaller profile" in line.remedies[0].title


def test_counts_the_models_themselves():
    assert bad(known=facts(quotas=(quota(models="1"),))) == [("error", "QuotaExceeded")]
    attach = Plan(action="attach", manifest={})
    assert bad(known=facts(quotas=(quota(models="1"),)), planned=attach) == []


def test_does_not_count_pods_for_a_model_that_sleeps():
    known = facts(quotas=(quota(gpu="3"),))
    assert bad(known=known, url="hf://a/b", resource_profile="l4:1", min_replicas=0) == []


def test_says_once_that_a_model_runs_as_its_user_on_this_machine():
    known = facts(this_machine=True)
    assert [notice.severity for notice in lines(known=known) if notice.code == "RunsAsYou"] == ["info"]
    assert [notice for notice in lines() if notice.code == "RunsAsYou"] == []


@pytest.mark.parametrize("accelerator", [None, "GPU"])
def test_refuses_a_gpu_that_this_machine_cannot_give(accelerator):
    room = dict.fromkeys(("memory_bytes", "free_memory_bytes", "free_disk_bytes"), 8 * 10**9)
    machine = Machine(**room, accelerator=accelerator)
    known = facts(this_machine=True, machine=MachineCatalog(machine))
    for profile in ("l4:2", "gpu:1", "h100:1"):
        (line,) = [notice for notice in lines(known=known, resource_profile=profile) if notice.severity == "error"]
        assert (line.code, line.field) == ("NoGpuHere", "resource_profile")
        assert ("this machine has no GPU" in line.message) == (accelerator is None)
        assert line.remedies[0].patch({}) == {"spec": {"resourceProfile": "cpu:1"}}
    assert bad(known=known, resource_profile="cpu:1") == []
    assert bad(resource_profile="l4:1", url="hf://a/b") == []


def laptop(**changes):
    room = {"memory_bytes": 8 * 10**9, "free_memory_bytes": 3 * 10**9, "free_disk_bytes": 90 * 10**9, "cores": 2}
    return facts(this_machine=True, machine=MachineCatalog(Machine(**{**room, **changes})))


LARGER_THAN_A_LAPTOP = [
    ({"replicas": 500}, "error", "TooManyReplicas", "500 engines, and this machine has 8.0 GB"),
    ({"min_replicas": 100}, "error", "TooManyReplicas", "100 engines, and this machine has 2 processors"),
    ({"min_replicas": 30, "url": "ollama://qwen3:0.6b"}, "warning", "TooManyReplicas", "each takes about 708 MB"),
    ({"replicas": 4, "autoscaling_disabled": True}, "warning", "TooManyReplicas", "the 2 processors of this machine"),
    (
        {"resource_profile": "cpu:9999"},
        "warning",
        "ProfileLargerThanMachine",
        "9,999 processors, and this machine has 2",
    ),
    ({"url": "ollama://qwen2.5:72b"}, "warning", "MayNotFit", "72 billion parameters: about 48.5 GB of memory"),
    ({"url": "hf://Qwen/Qwen2.5-72B-Instruct-GGUF", "engine": "VLLM"}, "warning", "MayNotFit", "72 billion parameters"),
    ({"url": "ollama://qwen3:8b"}, "warning", "MayNotFit", "may not fit on this machine now"),
]


@pytest.mark.parametrize(("fields", "severity", "code", "words"), LARGER_THAN_A_LAPTOP)
def test_says_what_is_larger_than_this_machine(fields, severity, code, words):
    (told,) = [notice for notice in lines(known=laptop(), **fields) if notice.code == code]
    assert told.severity == severity
    assert words in told.message
    assert told.remedies
    assert [notice for notice in lines(**fields) if notice.code == code] == []  # a cluster has no bounds that we know


@pytest.mark.parametrize("url", ["ollama://qwen3:0.6b", "ollama://mine:1"])
@pytest.mark.parametrize("room", [{}, {"cores": None}, {"cores": 64}, {"memory_bytes": 10**6}])
def test_takes_as_many_replicas_as_it_says_and_no_more(room, url):
    def refusals(replicas):
        told = lines(known=laptop(**room), url=url, replicas=replicas)
        return [str(notice) for notice in told if notice.severity == "error"]

    (refused,) = refusals(100_000)
    most = int(re.search(r"Ask for (\d+) at most", refused)[1])
    assert refusals(most) == []
    assert len(refusals(most + 1)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"replicas": 2},
        {"resource_profile": "cpu:2"},
        {"url": "ollama://qwen3:4b"},
        {"url": "ollama://gemma3n:e4b"},
        {"url": "ollama://mine:7b"},
    ],
)
def test_says_nothing_of_what_this_machine_holds(fields):
    roomy = laptop(free_memory_bytes=7 * 10**9)
    assert bad(known=roomy, **fields) == []
    assert bad(known=laptop(accelerator="GPU"), url="ollama://qwen2.5:72b") == []


def test_warns_of_a_url_that_is_a_slip():
    (line,) = [notice for notice in lines(url="ollama://smolm2:135m") if notice.severity == "warning"]
    assert (line.code, line.remedies[0].title) == ("UrlNotKnown", "Did you mean ollama://smollm2:135m?")
    assert line.remedies[0].patch({}) == {"spec": {"url": "ollama://smollm2:135m"}}
    assert bad(url="ollama://smollm2:1b") == bad(url="ollama://my-own:1") == []


@pytest.mark.parametrize(("ready", "codes"), [(0, ["UrlNotKnown"]), (1, [])])
def test_warns_of_a_slip_also_where_a_model_asks_for_it_in_vain(ready, codes):
    asks = {"metadata": {"name": "x1"}, "spec": {"url": "ollama://smolm2:135m", "replicas": 1}}
    known = facts(models=({**asks, "status": {"replicas": {"all": 1, "ready": ready}}},), this_machine=True)
    told = url_notices(known, spec_of({"url": "ollama://smolm2:135m"}))
    assert [line.code for line in told] == codes


@pytest.mark.parametrize(
    ("url", "code"),
    [("smolm2:135m", "UrlNotKnown"), ("qwen2.5:72b", "MayNotFit"), ("qwen3:8b", "MayNotFit"), ("smollm2:135m", None)],
)
def test_says_the_same_of_a_url_alone(url, code):
    url, roomy = f"ollama://{url}", laptop()
    told = url_notices(roomy, spec_of({"url": url, "resource_profile": "cpu:9999", "replicas": 500}))
    assert [notice.code for notice in told] == ([code] if code else [])
    assert set(told) <= set(lines(known=roomy, url=url))


def test_refuses_variables_that_load_code_on_this_machine_only():
    known, env = facts(this_machine=True), {"LD_PRELOAD": "/x.so"}
    assert bad(env=env) == []
    (line,) = [notice for notice in lines(known=known, env=env) if notice.severity == "error"]
    assert (line.code, line.field) == ("CodeInEnvironment", "env")
    assert "/x.so" not in line.message
    secrets = {"LD_PRELOAD": SecretStr("/x.so")}
    assert [field for field in (notice.field for notice in lines(known=known, secrets=secrets)) if field] == ["secrets"]


def test_names_what_is_left_out_on_this_machine():
    known = facts(this_machine=True)
    found = bad(known=known, env={"PORT": "8000"})
    assert found == [("warning", "OnThisMachine")]


@pytest.mark.parametrize(
    ("hard", "asked", "scaling"),
    [
        ({"pods": "2"}, 3, {"min_replicas": 3}),
        ({"count/pods": "2"}, 3, {"min_replicas": 3}),
        ({"cpu": "2"}, 5, {"replicas": 5, "autoscaling_disabled": True, "min_replicas": 0}),
        ({"requests.cpu": "2"}, 5, {"replicas": 5, "autoscaling_disabled": True}),
    ],
)
def test_counts_every_replica_that_starts(hard, asked, scaling):
    known = facts(quotas=({"metadata": {"name": "team"}, "status": {"hard": hard, "used": {}}},))
    (line,) = [notice for notice in lines(known=known, scaling=scaling) if notice.severity == "error"]
    assert line.message == f'The quota "team" leaves 2 of {next(iter(hard))}, and this Model needs {asked}.'


def test_counts_no_replica_that_does_not_start():
    known = facts(quotas=({"metadata": {"name": "team"}, "status": {"hard": {"pods": "0", "cpu": "0"}}},))
    assert bad(known=known, scaling={"min_replicas": 0}) == []
    assert ("error", "QuotaExceeded") not in bad(
        known=known, scaling={"replicas": 0, "autoscaling_disabled": True, "min_replicas": 3}
    )


def on_urls(known, **fields):
    codes = ("EngineLoadsUrl", "NotAsked", "UrlNotKnown", "ModelLargerThanMachine")
    return [notice for notice in lines(known=known, **fields) if notice.code in codes or notice.field == "url"]


def test_claims_no_more_of_a_url_than_was_asked():
    (line,) = on_urls(facts(), url="hf://org/model")
    assert line.message == "VLLM loads hf:// urls; whether this one holds a model for it is not known."
    assert checklist([line])[0].severity == "info"
    assert f"? {line.message}" in str(PlanReport(spec_of({"url": "hf://org/model"}), (line,), CREATE))


def test_says_that_an_engine_can_load_what_lies_here():
    (line,) = on_urls(facts(machine=MachineCatalog(models=(SMOL,))))
    assert line.message == "OLlama can load ollama://smollm2:135m, which lies on this machine."
    assert checklist([line])[0].severity == "well"


def test_claims_nothing_of_a_url_that_is_misspelt():
    known = facts(machine=MachineCatalog(models=(SMOL,)))
    assert [line.code for line in on_urls(known, url="ollama://smolm2:135m")] == ["UrlNotKnown"]


def watching(*names, **more):
    return {"operator_config": operator_config_of({**CONFIG, "watchNamespaces": list(names), **more})}


@pytest.mark.parametrize("names", [("*",), ("ml",), ("other", "ml")])
def test_takes_any_namespace_that_kubeai_watches(names):
    assert bad(known=facts(operator=Operator(namespace="kubeai"), **watching(*names))) == []


def test_names_the_namespaces_that_kubeai_watches_instead():
    known = facts(operator=Operator(namespace="ml"), **watching("a", "b"))
    assert bad(known=known) == [("error", "WrongNamespace")]
    assert '"a" and "b"' in str(lines(known=known)[2])


def test_warns_of_a_model_of_the_same_name_in_another_namespace_that_kubeai_watches():
    known = facts(elsewhere=(("team", "smol"),), **watching("*"))
    assert bad(known=known) == [("warning", "NameTwice")]
    assert bad(known=facts(elsewhere=(("team", "other"),), **watching("*"))) == []


def test_warns_of_a_model_that_nothing_would_wake():
    known = facts(operator_config=operator_config_of({**CONFIG, "proxy": {"mode": "external"}}))
    assert bad(known=known, min_replicas=0) == [("warning", "NothingWakesIt")]
    assert bad(known=known, min_replicas=1) == []


def test_refuses_what_the_clusters_own_schema_does_not_list():
    known = facts(schema=ModelSchema(engines=("VLLM",), schemes=("hf",)))
    assert bad(known=known) == [("error", "UnsupportedValue"), ("error", "InvalidModelUrl")]


@pytest.mark.parametrize(
    ("surge", "replicas", "changes", "words"),
    [
        (1, 2, {"args": ((), ("--a",))}, "up to 3 run at a time"),
        (1, 0, {"args": ((), ("--a",))}, ""),
        (0, 2, {"args": ((), ("--a",))}, ""),
        (1, 2, {"minReplicas": (1, 2)}, ""),
    ],
)
def test_says_that_a_pod_more_runs_during_an_update(surge, replicas, changes, words):
    known = facts(operator_config=operator_config_of({**CONFIG, "modelRollouts": {"surge": surge}}))
    current = {"spec": {"engine": "OLlama", "replicas": replicas}}
    planned = Plan(action="update", manifest={}, current=current, changes=changes)
    told = [notice.message for notice in lines(planned=planned, known=known) if notice.code == "RolloutSurge"]
    assert len(told) == bool(words)
    assert all(words in message for message in told)
