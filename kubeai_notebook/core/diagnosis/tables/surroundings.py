"""What a cluster puts around an engine: a user without a name, a home that cannot be written, variables of Services.

Images of engines are built to run as root in an environment that is theirs alone. A cluster may run them as a number
(OpenShift always does), and puts variables for each Service of the namespace into every Pod. A Model may set HOME, USER
and those variables itself, so the user can act where the admin need not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import Template, advise, run, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule
from kubeai_notebook.core.remedy import SetEnv

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.diagnosis.engine.case import Case

_OF_HOME = re.compile(r"no locator available|[^\w/.]/(?:nonexistent|(?:root/|home/[\w.-]+/)?\.[\w-])")
"""A hidden folder of root's home, of a user's, or of ``/``, which is the home of a user without one."""
_AS_ROOT = advise(
    "Or the admin lets the service account of the Model's Pods run the image's own user (OpenShift: the SCC anyuid).",
    only="cluster",
)
_VARIABLE = re.compile(r"\b([A-Z][A-Z0-9_]*)_PORT\b")


def _in_a_home(case: Case) -> bool:
    return _OF_HOME.search(case.line) is not None


def _service(case: Case) -> Mapping[str, str]:
    """The Service whose address stands in the variable, and a plain port where vLLM is what reads it."""
    named = _VARIABLE.search(case.line)
    of_vllm = case.scene.engine == "VLLM" and (named is None or named[1] == "VLLM")
    service = named[1].lower().replace("_", "-") if named else "vllm" if of_vllm else ""
    return {"service": service, "plain_port": "29500" if of_vllm else ""}


SURROUNDINGS: tuple[Rule, ...] = (
    Rule(
        code="UserHasNoName",
        seen=("getpwuid(): uid not found", "No username set in the environment", "cannot find name for user ID"),
        take=(r"uid not found: (?P<uid>\d+)", r"for user ID (?P<uid>\d+)"),
        message=(
            "The container runs as user {uid}, who has no name in it, and the engine asks for one.",
            "The container runs as a user who has no name in it, and the engine asks for one.",
        ),
        who="user",
        remedies=(
            Template(
                titles=("Give the user a name and a home: env.{variable}.",),
                changes=(SetEnv(name="USER", value="vllm"), SetEnv(name="HOME", value="/tmp")),  # noqa: S108 - in a Pod
            ),
            _AS_ROOT,
        ),
    ),
    Rule(
        code="DestinationNotWritable",
        seen=(
            "mkdir … permission denied",
            "[Errno 13] Permission denied: '",
            "PermissionError at /",
            "no locator available for file",
        ),
        only=_in_a_home,
        take=(r"(?:mkdir |directory |at |: )[^\w/]?(?P<path>/[\w./-]*\w)",),
        message=(
            "The container's user may not write to {path}: it is not root, and has no home of its own.",
            "The container's user has no home that it may write to.",
        ),
        who="admin",
        remedies=(set_env("HOME", "/tmp", "Give the user a home: env.{variable}."), _AS_ROOT),  # noqa: S108 - in a Pod
    ),
    Rule(
        code="ServiceInEnvironment",
        seen=(
            "appears to be a URI",
            "invalid literal for int() … 'tcp://",
            "'tcp://… is not a valid integer",
            "input_value='tcp://",
        ),
        derive=_service,
        message=(
            'A Service of the namespace is named "{service}", so Kubernetes puts its address into a variable that the '
            "engine takes for its own setting.",
            "Kubernetes puts the address of a Service into a variable that the engine takes for its own setting.",
        ),
        who="user",
        remedies=(
            set_env("VLLM_PORT", "{plain_port}", "Set the variable to a plain number: env.{variable}."),
            run("Or give that Service another name; it is this one.", "kubectl -n {namespace} get service {service}"),
            advise("Rename the Service whose name is that of the engine.", unless="service"),
        ),
    ),
)
