"""LoRA adapters; the Pod stays Ready without them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import name_of
from kubeai_notebook.core.diagnosis.engine.remedies import advise, drop_argument, run, set_argument, set_field
from kubeai_notebook.core.diagnosis.engine.rule import Rule, stated
from kubeai_notebook.core.kubeai.labels import ADAPTER_LABEL
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import in_utc, maps_at, text_at, time_at

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case
    from kubeai_notebook.core.diagnosis.engine.scene import Scene
    from kubeai_notebook.core.objects import Pod

LOADING_TIME = timedelta(seconds=60)
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""vLLM's values of ``--max-lora-rank``."""


def _fitting_rank(case: Case) -> dict[str, str]:
    rank = case.values.get("rank", "")
    fitting = [str(known) for known in _RANKS if rank and known >= int(rank)]
    return {"fitting_rank": fitting[0]} if fitting else {}


def _naming(case: Case) -> dict[str, str]:
    """The argument that names the adapter's path."""
    path = case.values.get("path", "")
    return {"by": next((name_of(item) for item in case.scene.args if path and path in item), "")}


_MADE_FOR_IT = advise("Use an adapter that was trained on this very base model.")
_CHECK_URL = advise("Check the adapter's url and whether a token is needed for it.")


_KEEP_ONE = set_field(
    # Requests to an adapter do not count for scaling, so a Model may be stopped below it.
    "minReplicas",
    1,
    "Keep one replica running (minReplicas 1): requests to an adapter do not count for scaling.",
    unless="min_replicas",
)


_READS_ADAPTERS = ("/vllm/lora/peft_helper.py", "/vllm/lora/lora_model.py")

ADAPTERS: tuple[Rule, ...] = (
    Rule(
        code="LoraRankTooLarge",
        seen=("greater than max_lora_rank",),
        take=(r"rank (?P<rank>\d{1,6}) is greater than max_lora_rank (?P<limit>\d+)",),
        message=(
            "The adapter has rank {rank}, the engine takes {limit} at most.",
            "The adapter's rank is greater than the engine takes.",
        ),
        who="user",
        derive=_fitting_rank,
        remedies=(
            set_argument("--max-lora-rank", "{fitting_rank}"),
            advise("Set --max-lora-rank to the adapter's rank."),
        ),
    ),
    Rule(
        code="AdapterWrongBase",
        seen=("must match the size of tensor",),
        only=lambda case: "in add_lora" in case.passage.haystack or "add_lora method" in case.passage.haystack,
        take=(r"tensor a \((?P<ours>\d+)\).*tensor b \((?P<theirs>\d+)\)",),
        message=(
            "The adapter was made for another base model: its size {theirs} meets {ours}.",
            "The adapter was made for another base model.",
        ),
        who="user",
        remedies=(_MADE_FOR_IT,),
    ),
    Rule(
        code="AdapterWrongBase",
        seen=("unsupported LoRA weight", "is unsupported LoRA"),
        take=(r"(?P<weight>[\w.]+) is unsupported LoRA",),
        message=(
            "The adapter holds {weight} beside its LoRA matrices, which vLLM cannot put on the base model.",
            "The adapter holds weights beside its LoRA matrices, which vLLM cannot put on the base model.",
        ),
        who="user",
        remedies=(
            advise("Train it without modules_to_save (lm_head, embed_tokens, score), or merge it into the base model."),
        ),
    ),
    Rule(
        code="AdapterWrongBase",
        seen=("expected target modules in", "does not support LoRA"),
        message=("The adapter changes layers that this base model does not have, or where vLLM takes no adapters.",),
        who="user",
        remedies=(_MADE_FOR_IT, advise("Or merge it into the base model, and serve that.")),
    ),
    Rule(
        code="AdapterNotLoaded",
        seen=("vLLM only supports modules_to_save", "does not yet support DoRA", "Adapter bias cannot be used"),
        take=(r"(?:failed: |Error: )(?P<why>(?:vLLM|Adapter)[^.]+)",),
        message=(
            "The adapter is of a kind that vLLM does not load: {why}.",
            "vLLM does not load this kind of adapter.",
        ),
        who="user",
        remedies=(
            advise("Train it as plain LoRA, without modules_to_save, DoRA and bias; or merge it into the base model."),
        ),
    ),
    Rule(
        code="AdapterWrongBase",
        seen=("maybe wrong base model", "LoRA arch mismatch", "to be 'adapter', but got"),
        message=("The adapter was made for another base model, or is no adapter.",),
        who="user",
        remedies=(_MADE_FOR_IT,),
    ),
    Rule(
        code="AdapterNotLoaded",
        seen=("No adapter found for", "adapter_lora_init: failed to open"),
        take=(r"found for (?P<path>[\w/.-]+\w)", r"failed to open '(?P<path>[^']+)'"),
        derive=_naming,
        message=(
            "There is no adapter in {path}, which {by} names.",
            "There is no adapter in {path}.",
            "The adapter's folder is empty.",
        ),
        who="user",
        remedies=(
            drop_argument("{by}"),
            advise("Name the adapter in adapters in place of {by}: KubeAI fetches it and loads it by itself."),
            advise("Check the adapter's url and whether a token is needed for it.", unless="by"),
        ),
    ),
    Rule(
        code="AdapterNotLoaded",
        seen=("ValueError: ", "KeyError: ", "TypeError: "),
        only=lambda case: any(module in case.above(3) for module in _READS_ADAPTERS),
        take=(r"Error: (?=[^{}]{1,163}+(?:\{|$))(?P<why>[^{}]{1,160}?)\.?(?:: \{.*)?$",),
        message=(
            "vLLM cannot read the adapter's adapter_config.json or its weights: {why}.",
            "vLLM cannot read the adapter's adapter_config.json or its weights.",
        ),
        who="user",
        remedies=(advise("Copy the whole adapter again, or take one that PEFT wrote for vLLM to load."),),
    ),
)

_UNLABELLED = Rule(
    code="AdapterNotLoaded",
    seen=(),
    message=(
        'The adapter "{adapter}" is not loaded although the Pod is ready.',
        "An adapter is not loaded although the Pod is ready.",
    ),
    who="user",
    remedies=(
        _CHECK_URL,
        _KEEP_ONE,
        run("Read why in the operator's log.", "kubectl -n {operator_ns} logs deploy/kubeai --tail=200"),
    ),
)


_BEHIND_A_LOADER = Rule(
    code="AdapterNotLoaded",
    seen=(),
    message=(
        'The adapter "{adapter}" waits for Pod "{late}", whose loader is not ready: until then no Pod gets adapters.',
        "An adapter waits for a Pod whose loader is not ready: until then no Pod gets adapters.",
    ),
    who="user",
    remedies=(
        run('See what keeps the loader of "{late}".', "kubectl -n {namespace} describe pod {late}"),
        _KEEP_ONE,
    ),
)


def missing_adapters(scene: Scene, pod: Pod) -> tuple[str, ...]:
    """Names of the Model's adapters that this Pod does not have."""
    names = (text_at(adapter, "name") for adapter in maps_at(scene.spec, "adapters"))
    return tuple(name for name in names if name and f"{ADAPTER_LABEL}{name}" not in pod.labels)


def unlabelled(scene: Scene, pod: Pod) -> Finding | None:
    """The Finding for an adapter that is missing a minute after the Pod became ready."""
    missing = missing_adapters(scene, pod)
    since = time_at(pod.condition("Ready"), "lastTransitionTime")
    if not missing or since is None or in_utc(scene.now) - since < LOADING_TIME:
        return None
    evidence = Evidence("field", pod.name, f"metadata.labels has no {ADAPTER_LABEL}{missing[0]}")
    for other in scene.pods:
        if any(container.name == "loader" and not container.running for container in other.containers):
            return stated(_BEHIND_A_LOADER, scene, evidence, pod=pod, adapter=missing[0], late=other.name)
    return stated(_UNLABELLED, scene, evidence, pod=pod, adapter=missing[0])
