"""Findings read from the Model, its Pods and Events: one case for each row, and one near miss that must not match."""

import pytest

from kubeai_notebook.core.diagnosis import diagnose

from .cluster_cases import CASES, LOADED, NEAR_MISSES, pending, probed
from .scenes import NOW, container, event, log, model, pod, seen, unscheduled, waiting

OF_THE_JOB = {"ownerReferences": [{"kind": "Job", "name": "load-cache-m"}]}


def codes(observation):
    return [finding.code for finding in diagnose(observation, now=NOW)]


@pytest.mark.parametrize("code", CASES)
def test_finds_the_cause_and_offers_a_fix(code):
    first = diagnose(CASES[code], now=NOW)[0]

    assert first.code == code
    assert first.evidence
    assert first.remedies or first.who == "nobody"


@pytest.mark.parametrize("code", NEAR_MISSES)
def test_does_not_take_a_near_miss_for_it(code):
    assert code not in codes(NEAR_MISSES[code])


def test_reads_what_ollama_pulled_from_older_probes_too():
    blocked = "Error: max retries exceeded: EOF", "Error: write /root/.ollama/x: no space left on device"
    assert codes(probed(*blocked)) == ["DiskFull"]
    assert codes(probed("Error: pull model manifest: file does not exist")) == ["ModelNotFound"]
    assert codes(probed('Get "https://registry.ollama.ai/v2/": dial tcp: lookup registry.ollama.ai: no such host')) == [
        "RegistryUnreachable"
    ]


def test_names_the_nearest_profile_and_keeps_the_count():
    (found,) = diagnose(CASES["UnknownResourceProfile"], now=NOW)
    assert found.remedies[0].patch(CASES["UnknownResourceProfile"].model) == {
        "spec": {"resourceProfile": "nvidia-gpu-l4:2"}
    }


def test_says_how_many_nodes_lack_the_gpu():
    found = diagnose(CASES["InsufficientGpu"], now=NOW)[0]
    assert found.message == "Profile cpu:1 needs more nvidia.com/gpu than is free on 2 of 3 nodes."


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            'Failed to schedule pod, incompatible with nodepool "a", no instance type satisfied resources',
            "AutoscalerCannotHelp",
        ),
        ('Failed to schedule pod, did not tolerate taint "nvidia.com/gpu=true:NoSchedule"', "UntoleratedTaint"),
        ('Failed to schedule pod, label "x" does not have known values', "NodeSelectorMismatch"),
        ('Failed to schedule pod, all available instance types exceed limits for nodepool: "gpu"', "AutoscalerAtLimit"),
        ("Failed to schedule pod, for some other reason", "AutoscalerCannotHelp"),
    ],
)
def test_tells_karpenters_reasons_apart(text, code):
    assert codes(pending(event("FailedScheduling", text, source="karpenter")))[0] == code


QUOTA = 'pods "model-m-x" is forbidden: exceeded quota: team, requested: {}, used: {}, limited: {}'
GPUS = {"resourceProfile": "nvidia-gpu-l4:8", "args": ["--tensor-parallel-size=8"]}


@pytest.mark.parametrize(
    ("text", "spec", "takes"),
    [
        (QUOTA.format("cpu=4", "cpu=14", "cpu=16"), {}, {"resourceProfile": "cpu:2"}),
        (QUOTA.format("cpu=4,memory=8Gi", "cpu=1,memory=60Gi", "cpu=8,memory=63Gi"), {}, {"resourceProfile": "cpu:1"}),
        (QUOTA.format("cpu=4", "cpu=16", "cpu=16"), {}, None),
        (QUOTA.format("pods=1", "pods=5", "pods=5"), {}, None),
        (
            QUOTA.format("requests.nvidia.com/gpu=8", "requests.nvidia.com/gpu=2", "requests.nvidia.com/gpu=8"),
            GPUS,
            {"resourceProfile": "nvidia-gpu-l4:6", "args": ["--tensor-parallel-size=6"]},
        ),
        (
            'pods "model-m-x" is forbidden: maximum memory usage per Pod is 7Gi, but request is 8Gi.',
            {},
            {"resourceProfile": "cpu:3"},
        ),
    ],
)
def test_takes_as_many_units_as_a_quota_still_allows(text, spec, takes):
    refused = seen(model(pods=0, **{"resourceProfile": "cpu:4", **spec}), refusal=text)
    (found,) = diagnose(refused, now=NOW)
    patches = [remedy.patch(refused.model)["spec"] for remedy in found.remedies if remedy.changes]
    assert found.code == "QuotaExceeded"
    assert patches == ([takes] if takes else [])


def test_says_how_large_kubeai_makes_a_cache_where_it_is_full():
    loader = pod("load-cache-m-x", container("loader", exit_code=1), phase="Failed", metadata=OF_THE_JOB)
    told = log("[Errno 28] No space left on device: '/models/m-u1'", pod="load-cache-m-x", container="loader")
    job = {"metadata": {"name": "load-cache-m"}, "status": {"failed": 1}}
    (found,) = diagnose(seen(LOADED, loader, jobs=(job,), logs=[told]), now=NOW)
    assert [remedy.title for remedy in found.remedies if "storageSize" in remedy.title and "10Gi" in remedy.title]


JOB = {"metadata": {"name": "load-cache-m"}, "status": {"failed": 1}}
REFUSED_LOADER = (
    'pods "load-cache-m-" is forbidden: failed quota: q: must specify limits.cpu for: loader',
    'admission webhook "validation.gatekeeper.sh" denied the request: container <loader> has no resource limits',
    'admission webhook "validation.gatekeeper.sh" denied the request: container <loader> has an invalid image repo',
)


@pytest.mark.parametrize(
    ("text", "words"),
    [(REFUSED_LOADER[0], "LimitRange"), (REFUSED_LOADER[1], "LimitRange"), (REFUSED_LOADER[2], "modelLoading.image")],
)
def test_gives_a_refused_loader_what_reaches_it_and_no_profile(text, words):
    told = event("FailedCreate", f"Error creating: {text}", kind="Job", name="load-cache-m")
    (found,) = diagnose(seen(LOADED, jobs=(JOB,), events=[told]), now=NOW)
    titles = [remedy.title for remedy in found.remedies]
    assert words in titles[0]
    assert not [title for title in titles if "profile" in title or "modelServers" in title]


LOADERS = {
    "LimitRange": pod("load-cache-m-x", container("loader", exit_code=137, reason="OOMKilled"), metadata=OF_THE_JOB),
    "takes any Pod": unscheduled(
        "0/3 nodes are available: 3 node(s) had untolerated taint {sku: gpu}.", name="load-cache-m-x"
    ),
    "modelLoading.image": pod(
        "load-cache-m-x",
        container("loader", waiting="ErrImagePull", message="manifest unknown"),
        phase="Pending",
        metadata=OF_THE_JOB,
    ),
}


@pytest.mark.parametrize("words", LOADERS)
def test_gives_a_loader_that_does_not_run_what_reaches_it_and_no_profile(words):
    loader = LOADERS[words]
    loader["metadata"] |= OF_THE_JOB
    (found,) = diagnose(seen(LOADED, loader, jobs=(JOB,)), now=NOW)
    assert words in found.remedies[0].title
    assert not [change for remedy in found.remedies for change in remedy.changes]


def test_does_not_blame_zero_units_which_kubeai_takes():
    assert codes(seen(model(resourceProfile="cpu:0", pods=0))) == ["CreationRefused"]
    assert codes(seen(model(resourceProfile="nowhere:0", pods=0))) == ["UnknownResourceProfile"]


def test_names_the_first_missing_adapter_or_the_loader_that_all_of_them_wait_for():
    adapters = [{"name": name, "url": f"hf://o/{name}"} for name in ("zebra", "ant")]
    tuned = model(adapters=adapters, ready=1, pods=2)
    there = pod("model-m-abc-1", container(running=True), container("loader", running=True), ready=True)
    (found,) = diagnose(seen(tuned, there), now=NOW)
    assert (found.code, '"zebra"' in found.message) == ("AdapterNotLoaded", True)
    late = pod("model-m-abc-2", container(running=True), container("loader", waiting="ContainerCreating"), age=60)
    found = next(finding for finding in diagnose(seen(tuned, there, late), now=NOW))
    assert (found.code, '"zebra" waits for Pod "model-m-abc-2"' in found.message) == ("AdapterNotLoaded", True)


@pytest.mark.parametrize(
    ("image", "meant"),
    [
        ("docker.io/rocm/vllm/rocm7.0.0_vllm_0.11.1_20251103:latest", "rocm/vllm:rocm7.0.0_vllm_0.11.1_20251103"),
        ("docker.io/rocm/vlm:latest", ""),
        ("registry.example/rocm/vllm/a:latest", ""),
    ],
)
def test_gives_the_image_whose_tag_the_chart_wrote_behind_a_slash(image, meant):
    denied = "pull access denied, repository does not exist or may require authorization: insufficient_scope"
    text = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {denied}'
    asked = {"containers": [{"image": image.removeprefix("docker.io/").removesuffix(":latest")}]}
    (found,) = diagnose(seen(None, waiting("ImagePullBackOff", text, spec=asked)), now=NOW)
    set_to = [change.value for remedy in found.remedies for change in remedy.changes if change.value]
    assert (found.code, set_to) == ("ImagePullUnauthorized", [meant] if meant else [])


@pytest.mark.parametrize(
    ("name", "words", "about"),
    [
        ("groot", 'pods "model-groot-7d9f-1" must have the label team', "labels"),
        ("root", "resource Pod/ai/model-root-7d9f-1 was blocked: add an annotation", "labels"),
        ("unlimited", 'Model "unlimited": add an annotation', "labels"),
        ("m", "of docker.io/groot/vllm:1: no label team", "labels"),
        ("m", "the number of Pods is unlimited here; add an annotation", "labels"),
        ("root", "model-root-7d9f-1 must not run as root user", "securityContext"),
        ("m", "readOnlyRootFilesystem must be true", "securityContext"),
        ("limit", "container <server> has no cpu limit", "limits"),
        ("maximum", "model-maximum-7d9f-1: memory limit is missing", "Set the limits"),
    ],
)
def test_takes_what_a_policy_is_about_from_its_words_and_no_name(name, words, about):
    denied = f'admission webhook "validate.example" denied the request: {words}'
    (found,) = diagnose(seen(model(name, pods=0), refusal=denied), now=NOW)
    assert (found.code, about in found.remedies[0].title) == ("PolicyDenied", True), found.remedies
