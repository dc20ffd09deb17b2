"""Why one Pod is not ready, in the order of evidence: its status, its Events, its log.

A status is a fact, an Event is somebody's words about a moment, a log holds retries and warnings beside its last
words. So a container that was killed for its memory is that, whatever its log says; and a log is searched by all
rules from above, since its last line is hardly ever the cause: engines wrap one error into three others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.tables import exits, nodes, start_times
from kubeai_notebook.core.diagnosis.tables.adapters import ADAPTERS, missing_adapters, unlabelled
from kubeai_notebook.core.diagnosis.tables.engine_args import ARGUMENTS
from kubeai_notebook.core.diagnosis.tables.engine_features import FEATURES
from kubeai_notebook.core.diagnosis.tables.engine_files import ARCHITECTURES
from kubeai_notebook.core.diagnosis.tables.families import FAMILIES
from kubeai_notebook.core.diagnosis.tables.gpu import GPU, GPU_RUNTIME
from kubeai_notebook.core.diagnosis.tables.gpu_faults import CRASHES
from kubeai_notebook.core.diagnosis.tables.hub import HUB
from kubeai_notebook.core.diagnosis.tables.image_contents import COMPILERS, CONTENTS
from kubeai_notebook.core.diagnosis.tables.images import (
    BROKEN_IN_LOG,
    IMAGES,
    IMAGES_IN_LOG,
    NO_SECCOMP,
    NOT_MADE,
    NOT_STARTED,
    OLLAMA_REGISTRY,
)
from kubeai_notebook.core.diagnosis.tables.loader import DISK_FULL, LOADER
from kubeai_notebook.core.diagnosis.tables.model_folders import FOLDERS
from kubeai_notebook.core.diagnosis.tables.network import LAST_RESORT, NETWORK
from kubeai_notebook.core.diagnosis.tables.node_memory import NODE_MEMORY
from kubeai_notebook.core.diagnosis.tables.object_stores import CREDENTIALS, S3_NOTHING, S3_SETTINGS
from kubeai_notebook.core.diagnosis.tables.ollama import OLLAMA, PULLS, RUNNER
from kubeai_notebook.core.diagnosis.tables.overridden_settings import LISTENING, NO_SUCH_HOST, OVERRIDDEN_IN_LOG
from kubeai_notebook.core.diagnosis.tables.placement import PREPARED
from kubeai_notebook.core.diagnosis.tables.python_code import PYTHON_CODE
from kubeai_notebook.core.diagnosis.tables.responses import DIED, FAILS_AGAIN, STOPPED, VANISHED
from kubeai_notebook.core.diagnosis.tables.scheduling import still_true, unplaced, unscheduled, why_unscheduled
from kubeai_notebook.core.diagnosis.tables.setting_values import ENDS_AT_ONCE, REFUSED_SETTINGS, VALUES
from kubeai_notebook.core.diagnosis.tables.start_times import TIMEOUTS
from kubeai_notebook.core.diagnosis.tables.storage import ECHO, STORAGE, claim_passages
from kubeai_notebook.core.diagnosis.tables.surroundings import SURROUNDINGS
from kubeai_notebook.core.diagnosis.tables.this_machine import CONTEXT_MAY_NOT_FIT, REFUSED_HERE, THIS_MACHINE
from kubeai_notebook.core.diagnosis.tables.weight_files import WEIGHTS
from kubeai_notebook.core.notice import Evidence, Finding

from .case import Case
from .cleaning import clean, excerpt
from .remedies import DELETE_POD, remedy_of
from .repeated import repeated
from .rule import Rule, first, spared, stated
from .text_source import Passage, condition_passage, container_passages, event_passage, log_passage
from .unknown import QUIET_EXITS, error_line, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.core.objects import Pod

    from .scene import Scene

STORES: tuple[Rule, ...] = (*HUB, *S3_SETTINGS, *NETWORK, *OLLAMA_REGISTRY, *CREDENTIALS)
FILES: tuple[Rule, ...] = (
    *OVERRIDDEN_IN_LOG,
    *ARGUMENTS,
    *VALUES,
    *PYTHON_CODE,
    *FEATURES,
    *BROKEN_IN_LOG,
    *ARCHITECTURES,
    *WEIGHTS,
    *LISTENING,
)
LOADING: tuple[Rule, ...] = (
    *THIS_MACHINE,
    DISK_FULL,
    *SURROUNDINGS,
    NO_SUCH_HOST,
    *STORES,
    *LOADER,
    *FOLDERS,
    *IMAGES_IN_LOG,
    *FILES,
    *GPU,
    *COMPILERS,
)
"""Whatever keeps an engine from loading its model, in this order: what stands above is the cause of what is below."""
LOG: tuple[Rule, ...] = (
    *LOADING,
    CONTEXT_MAY_NOT_FIT,
    *NODE_MEMORY,
    *TIMEOUTS,
    *OLLAMA,
    *ADAPTERS,
    exits.ILLEGAL_INSTRUCTION,
    *CONTENTS,
    *REFUSED_SETTINGS,
    *PULLS,
    *FAMILIES,
    *RUNNER,
    *LAST_RESORT,
    *CRASHES,
)
_STARTING: tuple[Rule, ...] = (
    *REFUSED_HERE,
    *STORAGE,
    *IMAGES,
    *IMAGES_IN_LOG,
    *GPU_RUNTIME,
    *PREPARED,
    ECHO,
    NO_SECCOMP,
    NOT_STARTED,
    NOT_MADE,
)


def cause(scene: Scene, pod: Pod) -> Finding | None:
    """The first explanation of a Pod that is not ready."""
    steps: tuple[Callable[[Scene, Pod], Finding | None], ...] = (
        nodes.failed_phase,
        exits.ended_run,
        _not_placed,
        _not_started,
        _from_log,
        _restarted,
        exits.exit_code,
        unplaced,
        _unexplained,
    )
    finding = next((seen for step in steps if (seen := spared(step.__name__, step, scene, pod))), None)
    return _deletable(finding, scene, pod) if finding and pod.phase == "Failed" else finding


def _unexplained(scene: Scene, pod: Pod) -> Finding | None:
    return unknown(scene, pod, log_passage(scene, pod))


def ready_cause(scene: Scene, pod: Pod) -> Finding | None:
    """What is wrong behind a Ready Pod: what loads late, and what fails at every request."""
    return _loaded_late(scene, pod) or _stopped(scene, pod) or _fails_again(scene, pod)


_THREADS = ("in _core_batch", "in _preprocess_batch", "in _postprocess_batch")


def _stopped(scene: Scene, pod: Pod) -> Finding | None:
    """Infinity's server goes on, and reports health, when a request ends a thread that works for all requests."""
    log = log_passage(scene, pod) if scene.engine == "Infinity" else None
    lines = zip(log.lines, log.lowered, strict=True) if log else ()
    last = next((line for line, low in lines if any(words in low for words in _THREADS)), None)
    if log is None or last is None:
        return None
    known = first((*LOADING, *NODE_MEMORY), (replace(log, lines=(last,)),), scene, pod=pod)
    return _deletable(known or stated(STOPPED, scene, Evidence("log", log.where, excerpt(last)), pod=pod), scene, pod)


def _fails_again(scene: Scene, pod: Pod) -> Finding | None:
    again = repeated(scene, pod)
    if again is None:
        return None
    known = first((*LOADING, *NODE_MEMORY, *OLLAMA, *RUNNER, *LAST_RESORT), (again,), scene, pod=pod)
    return known or stated(FAILS_AGAIN, scene, Evidence(again.kind, again.where, excerpt(again.lines[0])), pod=pod)


def _loaded_late(scene: Scene, pod: Pod) -> Finding | None:
    """FasterWhisper loads at the first request, vLLM its adapters when it is ready."""
    if scene.engine == "FasterWhisper":
        log = log_passage(scene, pod)
        return first((*LOADING, *LAST_RESORT), (_since_last_success(log),), scene, pod=pod) if log else None
    if scene.engine != "VLLM":
        return None
    log = log_passage(scene, pod) if _has_open_adapters(scene, pod) else None
    return (first(ADAPTERS, (log,), scene, pod=pod) if log else None) or unlabelled(scene, pod)


def _has_open_adapters(scene: Scene, pod: Pod) -> bool:
    if missing_adapters(scene, pod):
        return True
    tail = scene.log_of(pod)
    return not scene.spec.get("adapters") and tail is not None and "enable_lora" in str(tail.text)


def _since_last_success(log: Passage) -> Passage:
    served = [index for index, line in enumerate(log.lowered) if "post /v1/audio" in line and "200 ok" in line]
    return replace(log, lines=log.lines[served[-1] + 1 :]) if served else log


def _not_placed(scene: Scene, pod: Pod) -> Finding | None:
    if not unscheduled(pod):
        return None
    return why_unscheduled(scene, pod, STORAGE, behind=claim_passages(scene, pod))


def _not_started(scene: Scene, pod: Pod) -> Finding | None:
    """Storage, image and runtime: what the kubelet says until every container ran once."""
    texts = [
        text for container in pod.containers if not container.running for text in container_passages(container, pod)
    ]
    waits = not pod.containers or any(not container.started for container in pod.containers)
    if waits and pod.phase in ("", "Pending", "Running"):
        texts.extend(event_passage(event) for event in still_true(scene.events_of(pod)))
        texts.extend(claim_passages(scene, pod) if pod.phase != "Running" else ())
        texts.extend(passage for passage in (condition_passage(pod, "PodScheduled"),) if passage)
    passages = tuple(texts)
    return first(_STARTING, passages, scene, pod=pod) or (nodes.sandbox(scene, pod, passages) if waits else None)


def _from_log(scene: Scene, pod: Pod) -> Finding | None:
    log = (
        log_passage(scene, pod)
        if pod.main.started or not pod.containers or pod.main.waiting == "CrashLoopBackOff"
        else None
    )
    passages = (*_pulls(scene, pod), *((log,) if log else ()))
    if log is not None and not pod.is_of_job and (fatal := _fatal(log)) is not None:
        return first(LOG, (fatal,), scene, pod=pod) or _died(scene, pod, fatal)
    if pod.main.ended.get("exitCode") in QUIET_EXITS or _finished(log):
        return first(S3_NOTHING if pod.is_of_job else ENDS_AT_ONCE, passages, scene, pod=pod)
    return first(LOG, passages, scene, pod=pod)


_FATAL = ("enginecore encountered a fatal error", "enginedeaderror", "died unexpectedly")


def _fatal(log: Passage) -> Passage | None:
    """What vLLM said since the last answer before its engine died; its server then ends by itself, and well."""
    at = next((at for at, line in enumerate(log.lowered) if any(words in line for words in _FATAL)), None)
    answered = [number for number, line in enumerate(log.lowered[:at]) if '" 200 ok' in line or '" 4' in line]
    served = any("application startup complete" in line for line in log.lowered[:at])
    if at is None or not served:
        return None
    return replace(log, lines=log.lines[answered[-1] + 1 if answered else 0 :])


def _died(scene: Scene, pod: Pod, log: Passage) -> Finding:
    """The engine's own last error; one that was killed has none, and only its server speaks."""
    if not any(_FATAL[0] in line for line in log.lowered):
        wrapper = next(line for line, low in zip(log.lines, log.lowered, strict=True) if any(x in low for x in _FATAL))
        return stated(VANISHED, scene, Evidence("log", log.where, excerpt(wrapper)), pod=pod)
    return stated(DIED, scene, Evidence("log", log.where, error_line(log)), pod=pod)


def _finished(log: Passage | None) -> bool:
    """The loader's script went on behind its download, however often that was tried."""
    return log is not None and any(line.startswith("[[ dir ==") for line in log.lowered[-3:])


def _pulls(scene: Scene, pod: Pod) -> tuple[Passage, ...]:
    """What Ollama's pull said: it runs in the startup probe, so Events carry it, and a later try hides the first."""
    if scene.engine != "OLlama" or pod.is_of_job:
        return ()
    events = (event for event in scene.events_of(pod) if event.reason == "Unhealthy")
    return tuple(replace(event_passage(event), lines=clean(event.message)) for event in events)


def _restarted(scene: Scene, pod: Pod) -> Finding | None:
    return start_times.probe(scene, pod, tuple(event_passage(event) for event in scene.events_of(pod)))


def _deletable(finding: Finding, scene: Scene, pod: Pod) -> Finding:
    """The Finding with the fix that deletes the Pod: KubeAI neither replaces nor forgets one that is as it is."""
    remedy = remedy_of(DELETE_POD, Case(scene, Passage("status", pod.name, ("",)), 0, pod))
    known = finding.remedies
    return finding if remedy is None or remedy in known else replace(finding, remedies=(remedy, *known))
