"""Secrets, images and registries, as the kubelet words them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.cleaning import excerpt
from kubeai_notebook.core.diagnosis.engine.remedies import APPLIED, DELETE_POD, advise, run, set_field
from kubeai_notebook.core.diagnosis.engine.rule import Rule
from kubeai_notebook.core.kubeai.chart import meant_image
from kubeai_notebook.core.objects import maps_at, text_at

from .hosts import did_you_mean, meant_host

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case

WAITING_FOR_IMAGE = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RegistryUnavailable",
    "ImageInspectError",
    "ErrImageNeverPull",
    "SignatureValidationFailed",
)
_PULL = ("Failed", *WAITING_FOR_IMAGE)
_CONFIG = ("Failed", "FailedMount", "CreateContainerConfigError", "CreateContainerError")
_IMAGE = (
    r"(?:pull(?:ing)? (?:and unpack )?image|image reference|apply default tag) \\?\"(?P<image>[^\"\\]+)",
    r"(?:access denied for|manifest for) (?P<image>[\w./:@-]*\w)",
)
_REGISTRY = (
    r"https?://(?P<host>[\w.-]+)",
    r"lookup (?P<host>[\w.-]+)",
    r"dial tcp (?P<host>[\w.:-]*\w)",
    r"image \\?\"(?P<host>[\w-]+\.[\w.-]+)/",
)


def _meant(case: Case) -> dict[str, str]:
    """The image that is meant by the Pod's own, where the text names that: a registry's answer may name any other."""
    named = case.values.get("image", "")
    containers = maps_at(case.pod.raw, "spec", "containers") if case.pod else ()
    own = [text_at(case.scene.spec, "image"), *(text_at(container, "image") for container in containers)]
    same = _short(named) in {_short(image) for image in own}
    return {"meant_image": meant_image(named) if same else ""}


def _short(image: str) -> str:
    """An image without what the kubelet adds to its name."""
    return image.removeprefix("docker.io/").removesuffix(":latest")


_MEANT_IMAGE = set_field("image", "{meant_image}", "Set image to {value}: its tag stands behind a slash now.")
_OTHER_IMAGE = (
    set_field("image", None, "Remove image, so that KubeAI takes its own."),
    advise("Correct image; or the admin corrects modelServers in kubeai-config."),
)


def is_probe_of_ollama(case: Case) -> bool:
    """Whether the text is what Ollama's pull said in its startup probe."""
    return case.scene.engine == "OLlama" and case.passage.reason not in _PULL


IMAGES: tuple[Rule, ...] = (
    Rule(
        code="SecretKeyNotFound",
        seen=("find key … in secret", "find key … in configmap"),
        reasons=_CONFIG,
        take=(r"key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) (?:[\w.-]+/)?(?P<object>[\w.-]+\w)",),
        message=('{kind} "{object}" has no key "{key}".', "A Secret or ConfigMap lacks a key that the Pod needs."),
        who="user",
        remedies=(
            run(
                'Add the key "{key}".',
                "kubectl -n {namespace} patch {kind} {object} --type=merge"
                ' -p \'{{"stringData":{{"{key}":"<value>"}}}}\'',
            ),
            advise("Or correct envFrom."),
        ),
    ),
    Rule(
        code="SecretNotFound",
        seen=('secret "… not found', "secret … not found"),
        reasons=_CONFIG,
        take=(r"secret \\?\"?(?P<object>[\w./-]*\w)\\?\"? not found",),
        message=('There is no Secret "{object}" in the namespace.', "A Secret that the Pod needs does not exist."),
        who="user",
        remedies=(
            advise('Give the values themselves, with no such Secret: secrets={{"VARIABLE": SecretStr("…")}}.'),
            run(
                'Or make the Secret "{object}".',
                "kubectl -n {namespace} create secret generic {object} --from-literal=<key>=<value>" + APPLIED,
            ),
            advise("Or correct envFrom."),
        ),
    ),
    Rule(
        code="SecretNotFound",
        seen=("configmap … not found",),
        reasons=_CONFIG,
        take=(r"configmap \\?\"?(?P<object>[\w./-]*\w)\\?\"? not found",),
        message=(
            'There is no ConfigMap "{object}" in the namespace.',
            "A ConfigMap that the Pod needs does not exist.",
        ),
        who="user",
        remedies=(
            run(
                'Make the ConfigMap "{object}".',
                "kubectl -n {namespace} create configmap {object} --from-literal=<key>=<value>" + APPLIED,
            ),
            advise("Or correct envFrom."),
        ),
    ),
    Rule(
        code="PolicyDenied",
        seen=(
            "container has runAsNonRoot and image will run as root",
            "runAsUser breaks non-root policy",
            "has runAsNonRoot and image has non-numeric user",
        ),
        reasons=_CONFIG,
        message=("The cluster wants containers that do not run as root, and the image of the engine does.",),
        who="admin",
        remedies=(advise("Set runAsUser in modelServerPods' securityContext in kubeai-config, or change the policy."),),
    ),
    Rule(
        code="DiskFull",
        seen=("no space left on device",),
        reasons=_PULL,
        message=(
            "The disk of node {node} is full: the image cannot be unpacked.",
            "The node's disk is full: the image cannot be unpacked.",
        ),
        who="admin",
        remedies=(advise("Make room on the node, or give it a larger disk: images of engines take 5 to 20 GB."),),
    ),
    Rule(
        code="RegistryCertificate",
        seen=("x509:",),
        reasons=_PULL,
        take=_REGISTRY,
        message=(
            "The node does not trust the certificate of the registry {host}.",
            "The node does not trust the registry's certificate.",
        ),
        who="admin",
        remedies=(advise("Install the registry's certificate authority on the nodes."),),
    ),
    Rule(
        code="ImagePullRateLimited",
        seen=("toomanyrequests", "429 Too Many Requests"),
        reasons=_PULL,
        take=_REGISTRY,
        message=(
            "The registry {host} limits how often it may be asked.",
            "The registry limits how often it may be asked.",
        ),
        who="nobody",
        remedies=(advise("Wait: it is tried again. An admin can add a mirror or registry credentials."),),
    ),
    Rule(
        code="ImagePlatformMismatch",
        seen=("no match for platform in manifest", "no matching manifest for", "no image found in … for architecture"),
        reasons=_PULL,
        take=_IMAGE,
        message=(
            "The image {image} has no build for this node's processor.",
            "The image has no build for this node's processor.",
        ),
        who="user",
        remedies=(*_OTHER_IMAGE, advise("Or the admin sets nodeSelector kubernetes.io/arch in the profile.")),
    ),
    Rule(
        code="ImagePullUnauthorized",
        seen=(
            "403 Forbidden",
            "401 Unauthorized",
            "pull access denied",
            "insufficient_scope",
            ": denied",
            "unauthorized:",
            "no basic auth credentials",
            "402 Payment Required",
            "not have permission",
            "not authorized",
            "authorization failed",
            "invalid username/password",
            "authentication required",
        ),
        reasons=_PULL,
        take=_IMAGE,
        message=(
            "The registry does not give out {image}: it is misspelt or private.",
            "The registry does not give out the image: it is misspelt or private.",
        ),
        who="user",
        derive=_meant,
        remedies=(
            _MEANT_IMAGE,
            *_OTHER_IMAGE,
            advise("For a private image, the admin adds imagePullSecrets to modelServerPods."),
        ),
    ),
    Rule(
        code="BrokenEngineImage",
        seen=(
            "failed to extract layer",
            "failed to register layer",
            "failed to get reader from content store",
            "failed size validation",
            "unexpected commit digest",
            "invalid tar header",
        ),
        reasons=_PULL,
        take=_IMAGE,
        message=(
            "Node {node} cannot unpack {image}: what it has of it is damaged or cut off.",
            "The node cannot unpack the image: what it has of it is damaged or cut off.",
        ),
        who="admin",
        remedies=(
            advise(
                "Remove the image from the node (crictl rmi {image}), then delete the Pod.",
                "Remove the image from the node, then delete the Pod.",
            ),
            DELETE_POD,
        ),
    ),
    Rule(
        code="RegistryUnreachable",
        seen=("desc = context deadline exceeded", "desc = context canceled", "pull … no progress"),
        reasons=_PULL,
        take=_IMAGE,
        message=(
            "The image {image} did not arrive in the time that the node gives it.",
            "The image did not arrive in the time that the node gives it.",
        ),
        who="admin",
        remedies=(
            advise("Wait: it is tried again, and what has arrived may be kept; images of engines take 5 to 20 GB."),
            advise("Or the admin puts a mirror near the nodes, or has them pull the image beforehand (crictl pull)."),
        ),
    ),
    Rule(
        code="RegistryUnreachable",
        seen=(
            "RegistryUnavailable",
            "registry is unavailable",
            "dial tcp … i/o timeout",
            "dial tcp … no such host",
            "dial tcp … connection refused",
            "dial tcp … network is unreachable",
            "dial tcp … no route to host",
            "TLS handshake timeout",
            "Client.Timeout exceeded",
            "connection reset by peer",
            "failed to do request … EOF",
            "failed to do request … context deadline exceeded",
            "server gave HTTP response to HTTPS client",
            "503 Service Unavailable",
            "500 Internal Server Error",
            "502 Bad Gateway",
            "504 Gateway",
            "400 Bad Request",
            "unexpected media type text/html",
            "server misbehaving",
        ),
        reasons=_PULL,
        take=_REGISTRY,
        message=(
            "The node gets no usable answer of the registry at {host}.",
            "The node gets no usable answer of the registry.",
        ),
        who="admin",
        derive=meant_host,
        remedies=(
            *did_you_mean("image"),
            advise(
                "Open the way from the nodes to {host}, or set their proxy.",
                "Open the way from the nodes to the registry.",
            ),
        ),
    ),
    Rule(
        code="PolicyDenied",
        seen=("SignatureValidationFailed", "signature validation failed", "Source image rejected"),
        reasons=_PULL,
        take=(*_IMAGE, r"pull failed for (?P<image>\S+)"),
        message=("The node runs signed images only, and {image} is not one.", "The node runs signed images only."),
        who="admin",
        remedies=(
            advise("Sign the image, or add its key to the node's policy; or set image to one that is signed."),
            _OTHER_IMAGE[0],
        ),
    ),
    Rule(
        code="ImageNotFound",
        seen=("short-name … did not resolve", "short name mode is enforcing"),
        reasons=_PULL,
        take=(r"short-name \\?\"(?P<image>[^\"\\]+)", r"image name (?P<image>\S+) returns"),
        message=("The node does not know the registry of {image}.", "The node does not know the image's registry."),
        who="user",
        remedies=(
            advise("Write the registry before the name, as in docker.io/{image}.", "Write the registry before it."),
            _OTHER_IMAGE[-1],
        ),
    ),
    Rule(
        code="ImageNotFound",
        seen=("InvalidImageName", "ErrImageNeverPull", "name unknown", "code = NotFound", "manifest unknown"),
        reasons=_PULL,
        take=_IMAGE,
        message=("There is no image {image}.", "There is no such image."),
        who="user",
        derive=_meant,
        remedies=(_MEANT_IMAGE, *_OTHER_IMAGE),
    ),
    Rule(
        code="BrokenEngineImage",
        seen=("exec: … permission denied", "exec: … no such file or directory"),
        unless=("nvidia-smi", "nvidia-container"),
        take=(r"exec: \\?\"(?P<program>[^\"\\]+)",),
        message=(
            'The image\'s program "{program}" is missing, or may not be executed.',
            "A program of the image is missing or may not be executed.",
        ),
        who="user",
        remedies=(advise("Set image to a released one, or remove image."),),
    ),
    Rule(
        code="BrokenEngineImage",
        seen=("executable file not found in $PATH",),
        unless=("nvidia-smi", "nvidia-container"),
        take=(r"exec: \\?\"(?P<program>[^\"\\]+)",),
        message=(
            'The image has no program "{program}", which KubeAI starts.',
            "The image lacks the program that KubeAI starts.",
        ),
        who="user",
        remedies=_OTHER_IMAGE,
    ),
)

_STARTS = (
    *("unable to start container process", "failed to create shim task", "OCI runtime create failed"),
    *("failed to create containerd container", "failed to create containerd task", "container create failed"),
    *("failed to start shim", "failed to reserve container name", "container_linux.go", "runc create failed"),
)
_WRAPS = (
    "container init: ",
    "start container process: ",
    "create failed: ",
    "shim task: ",
    "process caused: ",
    "desc = ",
    "containerd container: ",
    "containerd task: ",
)


def _innermost(case: Case) -> dict[str, str]:
    """What the runtime said itself, without the words of those that called it."""
    ends = [case.line.rfind(words) + len(words) for words in _WRAPS if words in case.line]
    return {"why": excerpt(case.line[max(ends) :].removesuffix(": unknown"))} if ends else {}


NOT_STARTED = Rule(
    code="ContainerNotStarted",
    seen=_STARTS,
    unless=("pod sandbox",),
    derive=_innermost,
    message=(
        "Node {node} cannot start the container: {why}.",
        "The container runtime of the node cannot start the container.",
    ),
    who="admin",
    remedies=(
        advise(
            "Look at the container runtime and the kernel of node {node} (journalctl -u containerd or crio), and at "
            "the securityContext and runtimeClassName that the Pod has from kubeai-config.",
            "Look at the container runtime and the kernel of the node.",
        ),
        DELETE_POD,
    ),
)
"""Behind all that know why."""

NOT_MADE = Rule(
    code="ContainerNotStarted",
    seen=("CreateContainerError: ", "RunContainerError: ", "CreateContainerConfigError: "),
    unless=("context deadline exceeded",),
    reasons=("CreateContainerError", "RunContainerError", "CreateContainerConfigError"),
    take=(r"Container(?:Config)?Error: (?P<why>\S.{0,300})",),
    message=(
        "The kubelet of node {node} cannot make the container: {why}",
        "The kubelet of the node cannot make the container: {why}",
        "The kubelet of the node cannot make the container.",
    ),
    who="admin",
    remedies=(
        advise("Correct what it names, in modelServerPods or the profile in kubeai-config; else look at the node."),
        DELETE_POD,
    ),
)
"""Last of all that a kubelet says before a container has ever run."""
NO_SECCOMP = Rule(
    code="ContainerNotStarted",
    seen=("cannot load seccomp profile", "seccomp profile … no such file"),
    take=(r"seccomp profile \\?\"(?P<path>[^\"\\]+)",),
    message=(
        "Node {node} has no seccomp profile {path}, which the Pod names.",
        "The node has no such seccomp profile as the Pod names.",
    ),
    who="admin",
    remedies=(advise("Put the profile on the nodes, or set seccompProfile.type: RuntimeDefault in modelServerPods."),),
)

IMAGES_IN_LOG: tuple[Rule, ...] = (
    Rule(
        code="ImagePlatformMismatch",
        seen=("exec … exec format error",),
        message=("The image is built for another processor than this node has.",),
        who="user",
        remedies=(*_OTHER_IMAGE, advise("Or the admin sets nodeSelector kubernetes.io/arch in the profile.")),
    ),
)


def _listed_as_supported(case: Case) -> bool:
    """The refused architecture stands in the list of the supported ones: the image itself is broken."""
    refused, _, supported = case.line.partition("Supported architectures")
    names = re.findall(r"'(\w+)'", refused)
    return bool(names) and any(f"'{name}'" in supported for name in names)


BROKEN_IN_LOG: tuple[Rule, ...] = (
    Rule(
        code="BrokenEngineImage",
        seen=(
            "failed to be inspected",
            "undefined symbol",
            "is not found or cannot be loaded",
            "Unable to load any of {lib",
        ),
        far=(r"ModuleNotFoundError: No module named '(?P<package>[\w.]{1,80})'",),
        message=(
            "The engine's image is broken: it lacks the Python package {package}.",
            "The engine's image is broken: its own libraries do not fit each other.",
        ),
        who="user",
        remedies=(advise("Set image to a released one, or remove image."),),
    ),
    Rule(
        code="BrokenEngineImage",
        seen=("Model architectures … not supported for",),
        only=_listed_as_supported,
        take=(r"architectures \['(?P<architecture>\w+)'",),
        message=(
            "The engine's image is broken: it refuses {architecture}, which it lists as supported.",
            "The engine's image is broken.",
        ),
        who="user",
        remedies=(advise("Set image to a released one, or remove image."),),
    ),
)

OLLAMA_REGISTRY: tuple[Rule, ...] = (
    Rule(
        code="RegistryUnreachable",
        seen=(
            "registry is unavailable",
            "dial tcp … i/o timeout",
            "dial tcp … no such host",
            "dial tcp … network is unreachable",
            "dial tcp … no route to host",
            "pull model manifest … connection refused",
            "pull model manifest … TLS handshake timeout",
            "pull model manifest … context deadline exceeded",
            "server misbehaving",
        ),
        only=is_probe_of_ollama,
        take=_REGISTRY,
        message=(
            "The Pod cannot reach {host}, from where it pulls the model.",
            "The Pod cannot reach the model's registry.",
        ),
        who="user",
        derive=meant_host,
        remedies=(
            *did_you_mean("url"),
            advise("If the cluster goes out through a proxy, set env.HTTPS_PROXY."),
            advise("Else the admin opens the way out to {host}.", "Else the admin opens the way out."),
        ),
    ),
)
