"""Faults that this machine cannot have, with the Remedy that is tried for each: Nodes, Pods, the operator, answers."""

from __future__ import annotations

from pathlib import Path

from tests.core.diagnosis.cluster_cases import CASES, failed, of_claim
from tests.core.diagnosis.quoted import quotes
from tests.core.diagnosis.scenes import answered, container, crash, event, model, pod, seen, unscheduled, waiting

from .pure import READY, Pure, Spec, units_of

NO_CACHE = "this machine has no cache profiles: its operator refuses the Model that the Remedy makes"
PROBED = [event("Killing", "Container server failed startup probe, will be restarted", level="Normal")]
STREAMED = "ModuleNotFoundError: No module named 'runai_model_streamer'"
LORA = {"adapters": [{"name": "colorist", "url": "hf://o/lora"}], "minReplicas": 0}
LOGS = Path(__file__).parents[1] / "golden" / "logs"


def log(name: str) -> str:
    """A recorded log."""
    return (LOGS / f"{name}.log").read_text(errors="replace")


USE_CACHE = "set field cacheProfile={usable_cache}"
GPUS = {"resourceProfile": "nvidia-gpu-l4:2"}


def not_cached(spec: Spec) -> bool:
    return "cacheProfile" not in spec


def of_standard_cache(spec: Spec) -> bool:
    return spec.get("cacheProfile") == "standard"


KEY_WANTED = ("EngineKeyWanted", "the daemon's gateway sends an engine its own key")
KEYS = "VLLM_API_KEY INFINITY_API_KEY LLAMA_API_KEY API_KEY"

NOT_HERE = (
    'pull model manifest: file does not exist. Ollama\'s registry has no model "smolm2:135m". '
    "Did you mean ollama://smollm2:135m? For engine OLlama this machine has weights for: ollama://smollm2:135m."
)

NO_OTHER_HOST = "the tests reach this machine only"
GHRC = model(image="ghrc.io/org/vllm:1")
GHRC_REFUSAL = 'failed to pull image: Head "https://ghrc.io/v2/": dial tcp: lookup ghrc.io: no such host'
OLAMA = model(engine="OLlama", url="ollama://registry.olama.ai/library/llama3")
OLAMA_PROBE = (
    "Startup probe failed: Error: pull model manifest: "
    'Get "https://registry.olama.ai/v2/": dial tcp: lookup registry.olama.ai: no such host'
)
HUGGINFACE = "HTTPSConnectionPool(host='hugginface.co', port=443): [Errno -2] Name or service not known"
MISSPELT_HOSTS = (
    Pure(
        code="RegistryUnreachable",
        fix="set field image={meant_image}",
        why_not_played=NO_OTHER_HOST,
        observation=seen(GHRC, pod("model-m-abc-1", container(waiting="ErrImagePull", message=GHRC_REFUSAL))),
        cause=lambda spec: spec.get("image", "").startswith("ghrc.io"),
    ),
    Pure(
        code="RegistryUnreachable",
        fix="set field url={meant_url}",
        why_not_played=NO_OTHER_HOST,
        observation=seen(
            OLAMA, pod("model-m-abc-1", container(running=True)), events=[event("Unhealthy", OLAMA_PROBE)]
        ),
        cause=lambda spec: "registry.olama.ai" in spec["url"],
    ),
    Pure(
        code="SourceUnreachable",
        fix="set env HF_ENDPOINT={meant_endpoint}",
        why_not_played=NO_OTHER_HOST,
        observation=crash(HUGGINFACE, model(env={"HF_ENDPOINT": "https://hugginface.co"})),
        cause=lambda spec: "hugginface.co" in (spec.get("env") or {}).get("HF_ENDPOINT", ""),
    ),
    Pure(
        code="SourceUnreachable",
        fix="set field url={meant_url}",
        why_not_played=NO_OTHER_HOST,
        observation=crash(
            'Error: Could not reach https://hf.coo to fetch "hf.coo/a/b": [Errno -2] Name or service not known',
            model(url="ollama://hf.coo/a/b", engine="OLlama"),
        ),
        cause=lambda spec: "hf.coo/" in spec["url"],
    ),
)

SLASH = model(image="rocm/vllm/rocm6.4.1")
SLASH_REFUSALS = {
    "ImagePullUnauthorized": "pull access denied, repository does not exist or may require authorization",
    "ImageNotFound": "name unknown",
}
TAGS_BEHIND_A_SLASH = tuple(
    Pure(
        code=code,
        fix="set field image={meant_image}",
        why_not_played="no image is pulled here",
        observation=seen(
            SLASH,
            pod(
                "model-m-abc-1",
                container(
                    waiting="ErrImagePull", message=f'failed to pull image "docker.io/rocm/vllm/rocm6.4.1": {refusal}'
                ),
            ),
        ),
        cause=lambda spec: spec.get("image", "").count("/") > 1,
    )
    for code, refusal in SLASH_REFUSALS.items()
)

FREE_ELSEWHERE = {
    "InsufficientGpu": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    "InsufficientCpuOrMemory": "0/3 nodes are available: 3 Insufficient memory.",
    "UntoleratedTaint": "0/3 nodes are available: 3 node(s) had untolerated taint {team: other}.",
    "NodeSelectorMismatch": "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
    "AutoscalerAtLimit": "pod didn't trigger scale-up: 1 max node group size reached",
    "AutoscalerCannotHelp": "pod didn't trigger scale-up: 2 Insufficient nvidia.com/gpu",
}
TWO_PROFILES = {name: {"limits": {"nvidia.com/gpu": "1"}} for name in ("nvidia-gpu-l4", "nvidia-gpu-a100-80gb")}
OTHER_PROFILES = tuple(
    Pure(
        code=code,
        fix="set field resourceProfile={other_profile}",
        why_not_played="this machine is one node, whose profiles have the same room",
        observation=seen(
            model(resourceProfile="nvidia-gpu-l4:1"),
            unscheduled(text),
            config={"resourceProfiles": TWO_PROFILES},
            free={"nvidia-gpu-l4": 0, "nvidia-gpu-a100-80gb": 4},
        ),
        cause=lambda spec: spec["resourceProfile"].startswith("nvidia-gpu-l4"),
    )
    for code, text in FREE_ELSEWHERE.items()
)

OF_CLUSTERS = (
    *OTHER_PROFILES,
    *MISSPELT_HOSTS,
    *TAGS_BEHIND_A_SLASH,
    Pure(
        code="ModelNotFound",
        fix="set field url={meant_url}",
        why_not_played="a Model whose weights surely cannot be had is refused before it is sent",
        observation=crash(NOT_HERE, model(engine="OLlama", url="ollama://smolm2:135m")),
        cause=lambda spec: spec.get("url") == "ollama://smolm2:135m",
    ),
    Pure(
        code=KEY_WANTED[0],
        fix="drop argument --api-key",
        why_not_played=KEY_WANTED[1],
        observation=answered(401, '{"error": "Unauthorized"}', model(ready=1, args=["--api-key=abc"])),
        cause=lambda spec: "--api-key=abc" in (spec.get("args") or []),
    ),
    Pure(
        code=KEY_WANTED[0],
        fix=f"drop env {KEYS}",
        why_not_played=KEY_WANTED[1],
        observation=answered(401, '{"error": "Unauthorized"}', model(ready=1, env={"VLLM_API_KEY": "abc"})),
        cause=lambda spec: "VLLM_API_KEY" in (spec.get("env") or {}),
    ),
    Pure(
        code="DiskFull",
        fix=USE_CACHE,
        why_not_played=NO_CACHE,
        observation=crash("OSError: [Errno 28] No space left on device"),
        cause=not_cached,
    ),
    Pure(
        code="Evicted",
        fix=USE_CACHE,
        why_not_played=NO_CACHE,
        observation=failed("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 10Gi. "),
        cause=not_cached,
    ),
    Pure(
        code="EngineStartTimeout",
        fix=USE_CACHE,
        why_not_played=NO_CACHE,
        observation=crash("TimeoutError: Timed out waiting for engine core processes to start."),
        cause=not_cached,
    ),
    Pure(
        code="ProbeKilledContainer",
        fix=USE_CACHE,
        why_not_played=NO_CACHE,
        observation=seen(None, pod("model-m-abc-1", container(running=True)), events=PROBED),
        cause=not_cached,
    ),
    Pure(
        code="PythonPackageMissing",
        fix=USE_CACHE,
        why_not_played=NO_CACHE,
        observation=crash(STREAMED, model(url="s3://bucket/llama")),
        cause=not_cached,
    ),
    Pure(
        code="StorageClassNotFound",
        fix="drop field cacheProfile",
        why_not_played=NO_CACHE,
        observation=CASES["StorageClassNotFound"],
        cause=of_standard_cache,
    ),
    Pure(
        code="StorageNoReadWriteMany",
        fix="drop field cacheProfile",
        why_not_played=NO_CACHE,
        observation=CASES["StorageNoReadWriteMany"],
        cause=of_standard_cache,
    ),
    Pure(
        code="PvcUnbound",
        fix="drop field cacheProfile",
        why_not_played=NO_CACHE,
        observation=of_claim("no persistent volumes available for this claim and no storage class is set"),
        cause=of_standard_cache,
    ),
    Pure(
        code="InvalidModelUrl",
        fix="set field url={better_url}",
        why_not_played=NO_CACHE,
        observation=seen(model(cacheProfile="standard", url="hf://o/r?model=x", pods=0)),
        cause=lambda spec: "?" in spec["url"] and "cacheProfile" in spec,
    ),
    Pure(
        code="PriorityClassMissing",
        fix="drop field priorityClassName",
        why_not_played="the daemon's API does not create Pods in a dry run, so nobody hears the refusal",
        observation=CASES["PriorityClassMissing"],
        cause=lambda spec: spec.get("priorityClassName") == "high",
    ),
    Pure(
        code="CodeInEnvironment",
        fix="drop env {variables}",
        why_not_played="the daemon's API takes no such Model; one that an older daemon has written down shows it",
        observation=seen(
            model(env={"LD_PRELOAD": "/x.so", "A": "b"}),
            waiting("CreateContainerConfigError", quotes()["CodeInEnvironment"]["quote"]),
        ),
        cause=lambda spec: "LD_PRELOAD" in (spec.get("env") or {}),
    ),
    Pure(
        code="ChatTemplateFileMissing",
        fix="drop argument --chat-template",
        why_not_played="the daemon leaves out a template that is no file of the Model's own",
        observation=crash(
            log("vllm-chat-template-missing"), model(args=["--chat-template=/etc/templates/chatml.jinja"])
        ),
        cause=lambda spec: "--chat-template=/etc/templates/chatml.jinja" in (spec.get("args") or []),
    ),
    Pure(
        code="ProxyUnreachable",
        fix="drop env HTTPS_PROXY https_proxy",
        why_not_played="the daemon reaches the network by its own proxies only",
        observation=crash(log("loader-hf-proxy"), model(env={"HTTPS_PROXY": "http://proxy.corp.example:3128"})),
        cause=lambda spec: "HTTPS_PROXY" in (spec.get("env") or {}),
    ),
    Pure(
        code="QuotaExceeded",
        fix="set field resourceProfile={half_profile}",
        why_not_played="the daemon has no quotas",
        observation=seen(
            model(pods=0, resourceProfile="nvidia-gpu-l4:4"),
            refusal='pods "model-m-x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=4, '
            "used: requests.nvidia.com/gpu=6, limited: requests.nvidia.com/gpu=8",
        ),
        cause=lambda spec: 6 + int(spec["resourceProfile"].partition(":")[2]) > 8,
    ),
    Pure(
        code="PolicyDenied",
        fix="set field resourceProfile={half_profile}",
        why_not_played="the daemon has no admission webhooks",
        observation=seen(
            model(pods=0, resourceProfile="cpu:16"),
            refusal='admission webhook "warden" denied the request: {"[denied by autogke-pod-limit-constraints]":['
            "\"Total cpu requested by containers for workload 'm' is higher than the Autopilot maximum of '11'.\"]}",
        ),
        cause=lambda spec: units_of(spec) > 11,
    ),
    Pure(
        code="NodeRefusedPod",
        fix="set field resourceProfile={half_profile}",
        why_not_played="the daemon's node has no NUMA nodes",
        observation=seen(
            model(resourceProfile="nvidia-gpu-l4:8"),
            *failed("TopologyAffinityError", "Resources cannot be allocated with Topology locality").pods,
        ),
        cause=lambda spec: units_of(spec) > 4,
    ),
    Pure(
        code="NoGpuVisible",
        fix="drop env CUDA_VISIBLE_DEVICES NVIDIA_VISIBLE_DEVICES",
        why_not_played="this machine has no GPU to number",
        observation=crash(
            "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 101: invalid device ordinal",
            model(env={"CUDA_VISIBLE_DEVICES": "4"}),
        ),
        cause=lambda spec: "CUDA_VISIBLE_DEVICES" in (spec.get("env") or {}),
    ),
    Pure(
        code="BadArgumentValue",
        fix="drop env CUDA_VISIBLE_DEVICES NVIDIA_VISIBLE_DEVICES",
        why_not_played="this machine has no GPU that is divided",
        observation=crash(
            "ValueError: invalid literal for int() with base 10: 'MIG-377e0049-554c-540b-93c6-d0976f8426cb'",
            model(env={"CUDA_VISIBLE_DEVICES": "MIG-377e0049-554c-540b-93c6-d0976f8426cb"}),
        ),
        cause=lambda spec: "CUDA_VISIBLE_DEVICES" in (spec.get("env") or {}),
    ),
    Pure(
        code="CudaOutOfMemory",
        fix="set field resourceProfile={for_ollama}",
        why_not_played="the scripted engine fails so as vLLM only",
        observation=crash("cudaMalloc failed: out of memory", model(engine="OLlama", url="ollama://llama3", **GPUS)),
        cause=lambda spec: spec["resourceProfile"] == "nvidia-gpu-l4:2",
    ),
    Pure(
        code="GpuOutOfMemoryForKvCache",
        fix="set argument --tensor-parallel-size={all_gpus}",
        why_not_played="it is played for CudaOutOfMemory, and the way is the same",
        observation=crash("ValueError: No available memory for the cache blocks.", model(**GPUS)),
        cause=lambda spec: "--tensor-parallel-size=2" not in (spec.get("args") or []),
    ),
    Pure(
        code="AdapterNotLoaded",
        fix="set field minReplicas=1",
        why_not_played="the Finding comes a minute after Ready, which is too long for a test",
        observation=seen(model(ready=1, **LORA), READY),
        # With none kept, the autoscaler takes the Pod away before the adapter is there.
        cause=lambda spec: not spec.get("minReplicas"),
        healed=seen(
            model(ready=1),
            pod("model-m-abc-1", container(running=True), ready=True, labels={"adapter.kubeai.org/colorist": "x"}),
        ),
    ),
)
