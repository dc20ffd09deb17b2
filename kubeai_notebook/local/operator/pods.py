"""A Model's Pod with the engine of this machine in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.kubeai.pods import UnusableSpecError, pod_of
from kubeai_notebook.core.model_spec import ENGINES
from kubeai_notebook.local.emulation.engine_commands import EngineSpec
from kubeai_notebook.local.emulation.stand_in import ANNOTATION, stands_in
from kubeai_notebook.local.engines.recipes import image_of

if TYPE_CHECKING:
    from kubeai_notebook.local.emulation.kinds import Object

    from .system import System

IMAGE_ANNOTATION = "kubeai-notebook/image-not-used"
_PRIORITY_CLASSES = (None, "", "system-cluster-critical", "system-node-critical")
"""Those that every cluster has; this one has no others."""


def local_pod(model: Object, system: System) -> Object:
    """Build the Pod. UnusableSpecError where KubeAI, or its cluster, would make none."""
    spec, engine = model["spec"], model["spec"]["engine"]
    adapted = str("adapters" in spec).lower()
    features = f"--features={','.join(spec['features'])}"
    # Of the features KubeAI's Pods hold one thing: whether OLlama's probe runs the model. Others make no new Pod.
    hashed = f"--features={engine == 'OLlama' and 'TextGeneration' in spec['features']}"
    ours = [f"--model={spec['url']}", hashed, f"--lora={adapted}"]
    container = {"image": image_of(engine), "command": ["llama-server"], "args": [*ours, *spec.get("args", ())]}
    pod = pod_of(model, system.config, system=system.raw, container=container, loads=False)
    server = pod["spec"]["containers"][0]
    server["args"] = [features if word == hashed else word for word in server["args"]]
    if spec.get("priorityClassName") not in _PRIORITY_CLASSES:
        raise UnusableSpecError(f"no PriorityClass with name {spec['priorityClassName']} was found")
    # The image that is asked for runs nowhere here, but a change of it makes a new Pod all the same.
    pod["metadata"]["annotations"] |= {IMAGE_ANNOTATION: spec["image"]} if spec.get("image") else {}
    pod["metadata"]["annotations"] |= {ANNOTATION: engine} if stands_in(engine) else {}
    return pod


def engine_spec_of(pod: Object) -> EngineSpec:
    """Read what `local_pod` has written."""
    label = pod["metadata"]["labels"]["app.kubernetes.io/name"]
    url, features, adapted, *arguments = pod["spec"]["containers"][0]["args"]
    listed = features.removeprefix("--features=")
    return EngineSpec(
        engine=next(engine for engine in ENGINES if engine.lower() == label),
        name=pod["metadata"]["labels"]["model"],
        url=url.removeprefix("--model="),
        features=tuple(listed.split(",")) if listed else (),
        adapted=adapted == "--lora=true",
        arguments=tuple(arguments),
    )
