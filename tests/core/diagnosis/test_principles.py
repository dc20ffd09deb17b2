"""How evidence is chosen, and what must not deceive."""

import pytest

from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.observation import Observation

from .scenes import NOW, ago, container, crash, crashed, event, log, model, pod, seen, unscheduled, waiting

RANK = "ValueError: unrecognized arguments: --task=embed"
DISK = "OSError: [Errno 28] No space left on device"
WRAPPERS = (
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
    "Exception: WorkerProc initialization failed due to an exception in a background process.",
    "EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause.",
    "RuntimeError: Engine process failed to start. See stack trace for the root cause.",
    "ERROR:    Application startup failed. Exiting.",
    "0.00.1 E srv init: exiting due to model loading error",
    "requests.exceptions.HTTPError: 403 Client Error",
)


def codes(observation):
    return [finding.code for finding in diagnose(observation, now=NOW)]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_never_takes_a_wrapper_for_the_cause(wrapper):
    assert codes(crash(wrapper)) == ["Unknown"]
    assert codes(crash(f"{DISK}\n{wrapper}")) == ["DiskFull"]


def test_finds_the_cause_far_above_the_end():
    assert codes(crash("\n".join([DISK, *["  File x"] * 300, WRAPPERS[0]]))) == ["DiskFull"]


@pytest.mark.parametrize("wrapper", WRAPPERS[:4])
def test_shows_the_last_error_of_an_unknown_failure_and_no_wrapper(wrapper):
    (found,) = diagnose(crash(f"KeyError: 'first'\nPicoError: second\n{wrapper}"), now=NOW)
    assert found.evidence[0].text == "PicoError: second"


def test_lets_the_pods_status_beat_its_log():
    assert codes(seen(None, crashed(exit_code=1, reason="OOMKilled"), logs=[log(RANK, previous=True)])) == ["OomKilled"]
    assert codes(seen(None, waiting("ImagePullBackOff", "code = NotFound"), logs=[log(RANK)])) == ["ImageNotFound"]


def test_reads_the_previous_run_only_while_the_container_waits():
    tails = [log("INFO loading"), log(RANK, previous=True)]
    assert codes(seen(None, crashed(), logs=tails)) == ["UnknownArgument"]
    assert codes(seen(None, pod("model-m-abc-1", container(running=True)), logs=tails)) == []


def test_reads_the_newest_pod_of_the_newest_hash():
    old = crashed("model-m-old-1", hashed="old", age=900)
    new = pod("model-m-new-1", container(running=True), hashed="new", age=60)
    assert codes(seen(None, new, old, logs=[log(RANK, pod="model-m-old-1", previous=True)])) == []


def test_takes_the_answer_for_a_waiting_container_for_no_evidence():
    text = 'container "server" in pod "model-m-abc-1" is waiting to start: ContainerCreating: No space left on device'
    assert codes(seen(None, waiting("ContainerCreating"), logs=[log(text)])) == []


def test_looks_behind_the_pods_echo_at_the_claim():
    echo = unscheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.")
    said = event(
        "ProvisioningFailed", 'storageclass.storage.k8s.io "x" not found', name="c", kind="PersistentVolumeClaim"
    )
    assert codes(seen(None, echo, events=[said])) == ["StorageClassNotFound"]


def test_looks_behind_unmounted_volumes_at_the_other_event():
    events = [
        event(
            "FailedMount",
            "Unable to attach or mount volumes: unmounted volumes=[s]: timed out waiting for the condition",
        ),
        event("FailedMount", 'MountVolume.SetUp failed for volume "s" : secret "hub" not found', age=60),
    ]
    assert codes(seen(None, waiting("ContainerCreating"), events=events)) == ["SecretNotFound"]


def test_offers_to_delete_every_failed_pod():
    lost = pod("model-m-abc-1", phase="Failed", status={"reason": "Strange"})
    (found,) = diagnose(seen(None, lost), now=NOW)
    assert found.remedies[0].command.line == "kubectl -n ai delete pod model-m-abc-1"


def test_concludes_nothing_from_an_empty_observation():
    assert codes(Observation(model={})) == []
    assert codes(Observation(model=model(pods=1))) == []


def test_waits_before_it_calls_a_silence_a_finding():
    assert codes(seen(model(pods=0, age=8))) == []
    assert codes(seen(model(pods=0), changed_at=NOW)) == []


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: Retrying in 4s [Retry 3/5].",
        "HTTP Error 429 thrown while requesting HEAD https://huggingface.co/x",
        "Error while downloading from https://hub/x: Read timed out.\nTrying to resume download...",
        "WARN Status Code: 429. Retrying, 429 Too Many Requests",
        "WARNING Found ulimit of 20000. This can cause `OSError: [Errno 24] Too many open files`",
        "INFO No available shared memory broadcast block found in 60 seconds",
        "FutureWarning: `resume_download` is deprecated",
        "Ignored error while writing commit hash: [Errno 30] Read-only file system",
        "Loading safetensors checkpoint shards:  50% Completed | 1/2",
        'time=x level=INFO msg="no compatible GPUs were discovered"',
        "asyncio.exceptions.CancelledError",
        "[warning] The compute type inferred from the saved model is float16",
    ],
)
def test_says_nothing_about_harmless_lines(line):
    running = pod("model-m-abc-1", container(running=True))
    assert codes(seen(None, running, logs=[log(line)])) == []


@pytest.mark.parametrize("exit_code", [0, 143])
def test_says_nothing_about_a_container_that_was_asked_to_end(exit_code):
    assert codes(crash("asyncio.exceptions.CancelledError\nINFO: Finished server process", exit_code=exit_code)) == []


TRAPS = [
    ("NCCL WARN Call to posix_fallocate failed : No space left on device", "SharedMemoryTooSmall"),
    ("RuntimeError: GPUs with compute capability below 7.0\nBfloat16 is only supported on GPUs", "GpuTooOld"),
    ("Model architectures ['A'] are not supported for now. Supported architectures: ['A']", "BrokenEngineImage"),
    (
        "The repository a/b contains custom code which must be executed\nDo you wish to run it? [y/N]\n"
        "EOFError: EOF when reading a line",
        "TrustRemoteCodeNeeded",
    ),
    ("torch.OutOfMemoryError: CUDA out of memory.", "CudaOutOfMemory"),
    ("Read-only\nLocalEntryNotFoundError: we cannot find the requested files in the local cache", "SourceUnreachable"),
    ("Warning: `huggingface-cli` is deprecated and no longer works.", "LoaderBroken"),
    ("level=INFO msg=x error=\"write: no space left on device\"\nError: max retries exceeded: EOF", "DiskFull"),
    ("models's max seq len (64), (2 GiB KV cache is needed, larger than the available KV cache memory (1 GiB)",
     "MaxModelLenTooLargeForKvCache"),
    ("CUDA out of memory. GPU 0 has a total capacty of 8 GiB", "CudaOutOfMemory"),
    ("gguf_init: failed to read magic", "WeightsUnreadable"),
    (" in parse_safetensors_file_metadata\n    x\nMemoryError", "WeightsUnreadable"),
    ("MemoryError", "NotEnoughMemory"),
    ("Max retries exceeded with url: /x (Caused by ConnectTimeoutError(connect timeout=10))", "SourceUnreachable"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code"), TRAPS)
def test_is_not_deceived_by_a_trap(text, code):
    assert codes(crash(text)) == [code]


def test_takes_137_alone_for_no_proof_of_memory():
    assert codes(crash("INFO loading", exit_code=137)) == ["Killed"]


def test_takes_a_claims_name_that_the_hub_does_not_know_for_a_wrong_url():
    spec = {"engine": "Infinity", "url": "pvc://team-claim/bge"}
    assert codes(crash("Repository Not Found for url: https://huggingface.co/team-claim/bge/resolve/x", model(**spec)))[
        0
    ] == ("InvalidModelUrl")


def test_matches_messages_that_were_cut():
    text = 'failed to pull and unpack image "a/b:c": failed to resolve reference: pull access den'
    assert codes(seen(None, waiting("ErrImagePull", text))) == ["Unknown"]
    assert codes(seen(None, waiting("ErrImagePull", text + "ied, repo"))) == ["ImagePullUnauthorized"]


def test_does_not_call_a_loader_healthy_or_ill_before_its_time():
    caching = model(cacheProfile="standard", pods=0, status={"cache": {"loaded": False}})
    running = pod("load-cache-m-1", container("loader", running=True), labels={"job-name": "load-cache-m"})
    done = pod("load-cache-m-1", container("loader", exit_code=0), labels={"job-name": "load-cache-m"})
    trace = "+ aws s3 sync s3://b/x /models/x"
    timeouts = "ReadTimeout: x\n" * 10 + "✓ Downloaded\n+ rm -rf /x/.cache\n+ [[ dir == \\u\\r\\l ]]"
    tail = {"pod": "load-cache-m-1", "container": "loader"}

    assert codes(seen(caching, running, logs=[log(trace, **tail)])) == []
    assert codes(seen(caching, running, logs=[log(timeouts, **tail)])) == []
    assert codes(seen(caching, done, logs=[log(trace, **tail)])) == ["S3NotFound"]


def test_tells_events_of_an_earlier_pod_of_the_same_name_apart():
    stale = event("Failed", "pull access denied") | {
        "involvedObject": {"kind": "Pod", "name": "model-m-abc-1", "uid": "other"}
    }
    assert codes(seen(None, waiting("ContainerCreating"), events=[stale])) == []


def test_uses_time_from_outside_only():
    unlabelled = pod(
        "model-m-abc-1",
        container(running=True),
        status={"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": ago(30)}]},
    )
    spec = {"adapters": [{"name": "a", "url": "hf://o/l"}], "ready": 1}
    assert codes(seen(model(**spec), unlabelled)) == []


def test_forgets_a_mount_that_failed_once_and_then_succeeded():
    events = [
        event("FailedMount", 'MountVolume.SetUp failed for volume "x" : timed out', age=90),
        event("Pulling", "Pulling image", age=60),
    ]
    assert codes(seen(None, waiting("ContainerCreating"), events=events)) == []
    assert codes(seen(None, waiting("ContainerCreating"), events=events[:1])) == ["VolumeMountFailed"]


def test_forgets_why_a_pod_was_not_scheduled_once_it_is():
    stale = event(
        "FailedScheduling", "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", age=90
    )
    placed = event("Scheduled", "Successfully assigned", age=80, level="Normal")
    assert codes(seen(None, waiting("ContainerCreating"), events=[stale, placed])) == []


def test_makes_no_command_of_a_name_that_the_shell_would_read():
    text = "couldn't find key $(reboot) in Secret ai/hub"
    (found,) = diagnose(seen(None, waiting("CreateContainerConfigError", text)), now=NOW)
    assert "reboot" not in str([fix.command for fix in found.remedies])


def test_reads_a_log_also_where_pods_may_not_be_read():
    assert codes(seen(model(), logs=[log(RANK)])) == ["UnknownArgument"]


def test_reads_the_one_log_that_is_there_of_a_run_that_ended():
    assert codes(seen(None, crashed(), logs=[log(RANK)])) == ["UnknownArgument"]
    assert codes(seen(None, pod("model-m-abc-1", container(exit_code=2)), logs=[log(RANK)])) == ["UnknownArgument"]


@pytest.mark.parametrize("reason", ["ImageInspectError", "PostStartHookError"])
def test_ends_no_evidence_in_a_colon_where_the_kubelet_gave_no_message(reason):
    (found,) = diagnose(seen(None, waiting(reason)), now=NOW)
    assert [piece.text for piece in found.evidence] == [reason]
