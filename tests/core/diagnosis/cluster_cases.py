"""Observations of faults that the Model, its Pods and Events show: one for each code, and one near miss of it."""

from .quoted import quoted
from .scenes import CONFIG, ago, container, crashed, event, log, model, pod, seen, unscheduled, waiting

GPU = quoted("InsufficientGpu")
PREEMPTION = "preemption: 0/3 nodes are available: 3 Insufficient memory."
LOADED = model(cacheProfile="standard", pods=0, status={"cache": {"loaded": False}})
OLLAMA = {"engine": "OLlama", "url": "ollama://smollm2:135m"}


def pending(*events, message="0/3 nodes are available.", **more):
    return seen(None, unscheduled(message), events=events, **more)


def failed(reason, message=""):
    return seen(None, pod("model-m-abc-1", phase="Failed", status={"reason": reason, "message": message}))


def pulling(text, reason="ErrImagePull"):
    return seen(None, waiting(reason, text), events=[event("Failed", text)])


def starting(*events, text="", reason="ContainerCreating"):
    return seen(None, waiting(reason, text), events=events)


def of_claim(text, reason="ProvisioningFailed", phase="Pending"):
    name = "shared-model-cache-standard"
    claim = {"metadata": {"name": name}, "status": {"phase": phase}}
    return seen(LOADED, events=[event(reason, text, name=name, kind="PersistentVolumeClaim")], claims=(claim,))


def probed(*texts, killed=False, **spec):
    events = [event("Unhealthy", f"Startup probe failed: {text}", age=30 + index) for index, text in enumerate(texts)]
    if killed:
        events.append(event("Killing", "Container server failed startup probe, will be restarted", level="Normal"))
    running = pod("model-m-abc-1", container(running=True))
    return seen(model(**(OLLAMA | spec)), running, events=events)


def loading(*conditions, failed_pods=1):
    job = {"metadata": {"name": "load-cache-m"}, "status": {"failed": failed_pods, "conditions": list(conditions)}}
    return seen(LOADED, jobs=(job,))


ROLLING = (
    pod("model-m-old-1", container(running=True), ready=True, hashed="old", age=9000),
    unscheduled(GPU, name="model-m-new-1", hashed="new", age=60),
)
SECURITY = 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
ADAPTER = [{"name": "colorist", "url": "hf://o/lora"}]
READY = {"running": True}

CASES = {
    "NoSpec": seen({"metadata": {"name": "bare", "namespace": "ai", "uid": "u1", "creationTimestamp": ago(600)}}),
    "OperatorDown": seen(model(managed=False)),
    "WrongNamespace": seen(model(managed=False), operator_namespace="kubeai"),
    "InvalidResourceProfile": seen(model(resourceProfile="cpu", pods=0)),
    "UnknownResourceProfile": seen(model(resourceProfile="nvidia-gpu-l44:2", pods=0)),
    "UnknownCacheProfile": seen(model(cacheProfile="fast", pods=0)),
    "NoServerImage": seen(model(pods=0), config=CONFIG | {"modelServers": {"OLlama": {"images": {"default": "x"}}}}),
    "CreationRefused": seen(model(pods=0)),
    "CacheJobFailed": loading(
        {"type": "Failed", "status": "True"}
        | dict(zip(("reason", "message"), quoted("CacheJobFailed").split(": "), strict=True))
    ),
    "RolloutStuck": seen(model(ready=1, pods=2), *ROLLING),
    "DeletionStuck": seen(
        model(
            metadata={"deletionTimestamp": ago(60), "finalizers": ["kubeai.org/cache-eviction"]},
            resourceProfile="gone:1",
            cacheProfile="standard",
        )
    ),
    "ReservedArgument": seen(model(args=["--port=9000"]), pod("model-m-abc-1", container(running=True))),
    "QuotaExceeded": seen(model(pods=0), refusal=quoted("QuotaExceeded")),
    "QuotaNeedsRequests": seen(model(pods=0), refusal=quoted("QuotaNeedsRequests")),
    "PolicyDenied": seen(model(pods=0), refusal=quoted("PolicyDenied")),
    "PriorityClassMissing": seen(model(pods=0, priorityClassName="high"), refusal=quoted("PriorityClassMissing")),
    "PodInvalid": seen(model(pods=0), refusal=quoted("PodInvalid")),
    "WaitingForNode": pending(
        event("TriggeredScaleUp", quoted("WaitingForNode"), age=5, level="Normal"),
        event("FailedScheduling", GPU, age=20),
    ),
    "AutoscalerAtLimit": pending(event("NotTriggerScaleUp", quoted("AutoscalerAtLimit"), level="Normal")),
    "AutoscalerCannotHelp": pending(event("NotTriggerScaleUp", quoted("AutoscalerCannotHelp"), level="Normal")),
    "InsufficientGpu": pending(message=f"{GPU} {PREEMPTION}"),
    "InsufficientCpuOrMemory": pending(message=f"{quoted('InsufficientCpuOrMemory')} {PREEMPTION}"),
    "NodeUnavailable": pending(message=quoted("NodeUnavailable")),
    "UntoleratedTaint": pending(message=quoted("UntoleratedTaint")),
    "NodeSelectorMismatch": pending(message=quoted("NodeSelectorMismatch")),
    "SpreadUnsatisfied": pending(message=quoted("SpreadUnsatisfied")),
    "PodAffinityUnsatisfied": pending(message=quoted("PodAffinityUnsatisfied")),
    "HostPortTaken": pending(message=quoted("HostPortTaken")),
    "Preempted": failed("Preempting", quoted("Preempted")),
    "WaitingInQueue": pending(message=quoted("WaitingInQueue")),
    "ClaimNotFound": pending(message=quoted("ClaimNotFound")),
    "StorageClassNotFound": of_claim(quoted("StorageClassNotFound")),
    "StorageNoReadWriteMany": of_claim(quoted("StorageNoReadWriteMany")),
    "PvcUnbound": pending(message=quoted("PvcUnbound")),
    "VolumeNodeAffinity": pending(message=quoted("VolumeNodeAffinity")),
    "VolumeMountFailed": starting(event("FailedAttachVolume", quoted("VolumeMountFailed"))),
    "CodeInEnvironment": starting(text=quoted("CodeInEnvironment"), reason="CreateContainerConfigError"),
    "SecretNotFound": starting(text=quoted("SecretNotFound"), reason="CreateContainerConfigError"),
    "SecretKeyNotFound": starting(text=quoted("SecretKeyNotFound"), reason="CreateContainerConfigError"),
    "RegistryCertificate": pulling(quoted("RegistryCertificate")),
    "ImagePullRateLimited": pulling(quoted("ImagePullRateLimited")),
    "ImagePlatformMismatch": pulling(quoted("ImagePlatformMismatch")),
    "ImagePullUnauthorized": pulling(quoted("ImagePullUnauthorized")),
    "ImageNotFound": pulling(quoted("ImageNotFound")),
    "RegistryUnreachable": pulling(quoted("RegistryUnreachable")),
    "BrokenEngineImage": seen(
        None, pod("model-m-abc-1", container(waiting="RunContainerError", message=quoted("BrokenEngineImage")))
    ),
    "NvidiaRuntimeMissing": starting(event("FailedCreatePodSandBox", quoted("NvidiaRuntimeMissing"))),
    "ContainerNotStarted": starting(text=quoted("ContainerNotStarted"), reason="RunContainerError"),
    "PodSandboxFailed": starting(event("FailedCreatePodSandBox", quoted("PodSandboxFailed"), count=3)),
    "NodeRefusedPod": failed("OutOfcpu", quoted("NodeRefusedPod")),
    "NodeLost": failed("Terminated", quoted("NodeLost")),
    "Evicted": failed("Evicted", quoted("Evicted")),
    "OomKilled": seen(None, crashed(exit_code=137, reason="OOMKilled")),
    "Killed": seen(None, crashed(exit_code=137), logs=[log("INFO loading", previous=True)]),
    "ProbeKilledContainer": seen(
        None,
        pod("model-m-abc-1", container(running=True)),
        events=[event("Killing", quoted("ProbeKilledContainer"), level="Normal")],
    ),
    "DeadlineExceeded": failed("DeadlineExceeded", quoted("DeadlineExceeded")),
    "CpuLacksInstructions": seen(None, crashed(exit_code=132)),
    "OllamaTooOld": probed(quoted("OllamaTooOld")),
    "AdapterNotLoaded": seen(
        model(adapters=ADAPTER, ready=1), pod("model-m-abc-1", container(running=True), ready=True)
    ),
    "FeatureMismatch": seen(
        model(engine="Infinity", features=["TextEmbedding", "TextGeneration"], ready=1),
        pod("model-m-abc-1", container(running=True), ready=True),
    ),
    "InvalidModelUrl": seen(model(engine="VLLM", url="ollama://smollm2", pods=0)),
}

NEAR_MISSES = {
    "NoSpec": seen(model(managed=False)),
    "OperatorDown": seen(model(managed=False, age=4)),
    "WrongNamespace": seen(model(managed=False)),
    "InvalidResourceProfile": seen(model(resourceProfile="cpu:4", replicas=0)),
    "UnknownResourceProfile": seen(model(resourceProfile="anything:1", replicas=0), config=None),
    "UnknownCacheProfile": seen(model(cacheProfile="fast", replicas=0, pods=0), config={}),
    "NoServerImage": seen(
        model(image="mine:1", replicas=0), config=CONFIG | {"modelServers": {"VLLM": {"images": {}}}}
    ),
    "CreationRefused": seen(model(replicas=0, pods=0)),
    "CacheJobFailed": loading(failed_pods=0),
    "RolloutStuck": seen(model(), ROLLING[0], pod("model-m-new-1", container(running=True), hashed="new", age=60)),
    "DeletionStuck": seen(model(metadata={"deletionTimestamp": ago(60), "finalizers": ["kubeai.org/cache-eviction"]})),
    "ReservedArgument": seen(
        model(args=["--port=8000", "--host", "0.0.0.0", "--served-model-name=m"]),
        pod("model-m-abc-1", container(running=True)),
    ),
    "PolicyDenied": seen(model(pods=0, replicas=0), refusal=f"Warning: would {SECURITY}"),
    "WaitingForNode": pending(
        event("TriggeredScaleUp", "pod triggered scale-up", age=900, level="Normal"),
        event("FailedScheduling", GPU, age=20),
    ),
    "AutoscalerCannotHelp": pending(
        event("FailedScheduling", "no instance type in this text", source="default-scheduler")
    ),
    "InsufficientCpuOrMemory": pending(message=GPU + PREEMPTION),
    "UntoleratedTaint": CASES["NodeUnavailable"],
    "InsufficientGpu": CASES["InsufficientCpuOrMemory"],
    "Preempted": failed("Evicted", "The node was low on resource: memory."),
    "StorageClassNotFound": of_claim('storageclass.storage.k8s.io "fast" not found', phase="Bound"),
    "PvcUnbound": of_claim("waiting for first consumer to be created before binding", reason="WaitForFirstConsumer"),
    "VolumeMountFailed": starting(
        event("FailedMount", 'MountVolume.SetUp failed for volume "s" : secret "hub" not found')
    ),
    "RegistryCertificate": starting(event("Unhealthy", "Startup probe failed: x509: unknown authority")),
    "ImageNotFound": CASES["ImagePlatformMismatch"],
    "ImagePullUnauthorized": CASES["RegistryCertificate"],
    "RegistryUnreachable": seen(
        None, pod("model-m-abc-1", container(running=True)), events=[event("Failed", "dial tcp 1: i/o timeout")]
    ),
    "BrokenEngineImage": starting(
        text='exec: "nvidia-smi": executable file not found in $PATH', reason="RunContainerError"
    ),
    "PodSandboxFailed": starting(event("FailedCreatePodSandBox", "Failed to create pod sandbox: plugin cni failed")),
    "NodeRefusedPod": failed("Evicted", "The node was low on resource: memory."),
    "OomKilled": seen(None, crashed(exit_code=137), logs=[log("CUDA out of memory", previous=True)]),
    "Killed": seen(None, pod("model-m-abc-1", container(running=True), metadata={"deletionTimestamp": ago(5)})),
    "ProbeKilledContainer": probed("dial tcp 10.0.0.1:8000: connect: connection refused"),
    "CpuLacksInstructions": seen(None, crashed(exit_code=1)),
    "AdapterNotLoaded": seen(
        model(adapters=ADAPTER, ready=1),
        pod("model-m-abc-1", container(running=True), ready=True, labels={"adapter.kubeai.org/colorist": "h"}),
    ),
    "FeatureMismatch": seen(model(engine="Infinity", features=["TextEmbedding"], replicas=0)),
    "InvalidModelUrl": seen(model(engine="Infinity", url="pvc://c/x", env={"INFINITY_MODEL_ID": "/model"}, replicas=0)),
}
