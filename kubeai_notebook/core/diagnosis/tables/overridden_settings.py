"""Settings that are KubeAI's own, overridden by the Model: above all the port on which the engine is to listen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import value_of
from kubeai_notebook.core.diagnosis.engine.remedies import DELETE_POD, advise, drop_argument, drop_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule, stated
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import text_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.diagnosis.engine.case import Case
    from kubeai_notebook.core.diagnosis.engine.scene import Scene
    from kubeai_notebook.core.objects import Pod

_PORT = "8000"
_ALL_ADDRESSES = ("0.0.0.0", "::", "[::]", "")  # noqa: S104 - compared with, never bound
_REMOVE = (
    drop_argument(
        "--port", "--host", "--model", "--served-model-name", "--url-prefix", title="Remove {argument}: KubeAI sets it."
    ),
    drop_env("INFINITY_PORT", "INFINITY_URL_PREFIX"),
)


def expected_port(pod: Pod | None) -> str:
    """The port on which KubeAI asks this Pod."""
    return (text_at(pod.raw, "metadata", "annotations", "model-pod-port") if pod else "") or _PORT


def _other_port(case: Case) -> bool:
    match = re.search(r"running on \S*?:(\d+)\b|running on socket \(.*, (\d+)\)", case.passage.lowered[case.index])
    return match is not None and (match[1] or match[2]) != expected_port(case.pod)


OVERRIDDEN_IN_LOG: tuple[Rule, ...] = (
    Rule(
        code="ReservedArgument",
        seen=("Uvicorn running on",),
        only=_other_port,
        take=(r"running on (?P<address>\S+)",),
        message=(
            'The engine of "{name}" runs and listens on {address}, but KubeAI asks another port.',
            "The engine listens on another port than KubeAI asks: it will never be ready.",
        ),
        who="user",
        remedies=(*_REMOVE, advise("Look in args, env, envFrom and image for what sets it.")),
    ),
    Rule(
        code="ReservedArgument",
        seen=("Invalid value for '--url-prefix'",),
        message=("INFINITY_URL_PREFIX is KubeAI's own setting and has a value that Infinity refuses.",),
        who="user",
        remedies=(*_REMOVE, advise("Look in args, env, envFrom and image for what sets it.")),
    ),
)
_BY_UVICORN = re.compile(r"ERROR: +\[Errno")
NO_SUCH_HOST = Rule(
    # uvicorn's whole line, as it opens its port; who fetches something names the library and the host.
    code="CannotListen",
    seen=("[Errno -3] Temporary failure in name resolution", "[Errno -2] Name or service not known"),
    only=lambda case: _BY_UVICORN.match(case.line) is not None,
    message=("The engine cannot listen: it is told to by a host whose name is not known.",),
    who="user",
    remedies=(
        drop_argument("--host", title="Let KubeAI choose: remove {argument}."),
        drop_env("INFINITY_HOST", "UVICORN_HOST"),
        advise("Remove --host, or the variable in its place, wherever it is set."),
    ),
)
LISTENING: tuple[Rule, ...] = (
    Rule(
        code="CannotListen",
        seen=(
            "address already in use",
            "couldn't bind HTTP server socket",
            "while attempting to bind on address",
            "Error: listen tcp",
        ),
        take=(r"port: (?P<port>\d+)", r"', (?P<port>\d+)\)", r"hostname: (?P<host>[\w.:-]+)"),
        message=("The engine cannot listen on port {port}.", "The engine cannot listen on its port."),
        who="user",
        remedies=(
            drop_argument("--port", "--host", title="Let KubeAI choose: remove {argument}."),
            drop_env("INFINITY_PORT", "UVICORN_PORT", "UVICORN_HOST", "OLLAMA_HOST", "VLLM_PORT"),
            DELETE_POD,
        ),
    ),
)
OVERRIDDEN_IN_MODEL = Rule(
    code="ReservedArgument",
    seen=(),
    message=(
        '"{name}" sets {setting}, which is KubeAI\'s own setting: its requests miss the engine.',
        "The Model overrides KubeAI's own settings.",
    ),
    who="user",
    remedies=_REMOVE,
)


def overridden(scene: Scene) -> Iterator[str]:
    """Settings with another value than the one KubeAI counts on."""
    weights = scene.url.reference
    port = expected_port(scene.newest)
    for name, allowed in (
        ("--port", (port,)),
        ("--host", _ALL_ADDRESSES),
        ("--served-model-name", (scene.name,)),
        ("--model", (weights, "/model")),
        ("--url-prefix", ("/v1",)),
    ):
        value = value_of(scene.args, name)
        if value is not None and value not in allowed:
            yield f"{name}={value}"
    for name, wanted in (("INFINITY_PORT", port), ("INFINITY_URL_PREFIX", "/v1")):
        value = scene.env.get(name, wanted)
        if value != wanted:
            yield f"env.{name}={value}"


def reserved(scene: Scene) -> Finding | None:
    """The Finding of an overridden setting, from the Model alone."""
    settings = tuple(overridden(scene))
    if not settings:
        return None
    evidence = Evidence("field", f"Model {scene.name}", ", ".join(settings))
    return stated(OVERRIDDEN_IN_MODEL, scene, evidence, setting=" and ".join(settings))
