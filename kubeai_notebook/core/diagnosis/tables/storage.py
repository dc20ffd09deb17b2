"""Claims and volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import DELETE_POD, Template, advise, run, set_field
from kubeai_notebook.core.diagnosis.engine.rule import Rule, first
from kubeai_notebook.core.diagnosis.engine.text_source import Passage, event_passage
from kubeai_notebook.core.messages import nearest
from kubeai_notebook.core.objects import maps_at, text_at

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case
    from kubeai_notebook.core.diagnosis.engine.scene import Scene
    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.objects import Pod

_CLAIM = (
    r"persistentvolumeclaim \\?\"?(?P<missing>[\w.-]*\w)",
    r"storageclass[\w.]{0,40} \\?\"(?P<storage_class>[^\"\\]+)",
)
_MOUNTS = ("FailedMount", "FailedAttachVolume")
_LOOK_AT_CLAIMS = run("See what the claims wait for.", "kubectl -n {namespace} describe pvc {own_claim}")
_LOOK_AT_ALL = run("See which claims are unbound.", "kubectl -n {namespace} get pvc")


def _nearest_claim(case: Case) -> dict[str, str]:
    """The existing claim whose name is nearest, and the url with it."""
    names = [text_at(claim, "metadata", "name") for claim in case.scene.observation.claims]
    wanted = case.values.get("missing", "")
    claim = nearest(wanted, names)
    if not claim or case.scene.scheme != "pvc" or case.scene.url.claim != wanted:
        return {}
    url = case.scene.url.replace(f"pvc://{wanted}", f"pvc://{claim}", 1)
    return {"nearest_claim": claim, "nearest_url": url}


CLAIMS: tuple[Rule, ...] = (
    Rule(
        code="ClaimNotFound",
        seen=("persistentvolumeclaim … not found",),
        take=_CLAIM,
        derive=_nearest_claim,
        message=(
            'There is no PersistentVolumeClaim "{missing}" in the namespace.',
            "The PersistentVolumeClaim of the url does not exist.",
        ),
        who="user",
        remedies=(
            set_field("url", "{nearest_url}", 'Use the claim "{nearest_claim}", which exists: url {value}.'),
            advise('Correct the url "{url}", or make the claim "{missing}".', "Correct the url, or make the claim."),
        ),
    ),
    Rule(
        code="ClaimNotFound",
        seen=("persistentvolumeclaim … is being deleted",),
        take=_CLAIM,
        message=(
            'The PersistentVolumeClaim "{missing}" is being deleted; it goes when no Pod uses it any more.',
            "The PersistentVolumeClaim of the url is being deleted.",
        ),
        who="user",
        remedies=(
            advise("Correct the url, or make the claim again once the old one is gone."),
            run("See which Pods still use it.", "kubectl -n {namespace} describe pvc {missing}"),
        ),
    ),
    Rule(
        code="StorageClassNotFound",
        seen=("storageclass.storage.k8s.io … not found",),
        take=_CLAIM,
        message=(
            'There is no StorageClass "{storage_class}", which the cache profile names.',
            "The cache profile names a StorageClass that does not exist.",
        ),
        who="admin",
        remedies=(
            run("Set an existing class in the cache profile (kubeai-config).", "kubectl get storageclass"),
            set_field("cacheProfile", None, "Or do without the cache: remove cacheProfile."),
        ),
    ),
    Rule(
        code="StorageNoReadWriteMany",
        seen=(
            "capability at index 0 is not supported",
            "MULTI_NODE_MULTI_WRITER",
            "invalid AccessModes",
            "only supports ReadWriteOnce",
            "multi writer",
            "multiWriter",
            "MultiWriter",
            "ReadWriteMany … not supported",
            "ReadWriteMany volumes require",
            "not support ReadWriteMany",
            "RWX … not supported",
            "only supported for access type: block",
            "access mode … not supported",
            "unsupported access mode",
        ),
        take=(r"StorageClass \\?\"(?P<storage_class>[^\"\\]+)",),
        message=(
            'StorageClass "{storage_class}" cannot make a volume that several nodes write to (ReadWriteMany).',
            "The storage class cannot make a volume that several nodes write to (ReadWriteMany).",
        ),
        who="admin",
        remedies=(
            advise("Use a class with ReadWriteMany in the cache profile: NFS, CephFS, EFS or Filestore."),
            set_field("cacheProfile", None, "Or do without the cache: remove cacheProfile."),
        ),
    ),
)

_NOT_MADE = (
    (
        ("quota", "ResourceExhausted", "limit exceeded", "LimitExceeded"),
        "the storage's quota is used up",
        "Ask for more of that quota, delete volumes that nobody needs, or name another class in the cache profile.",
    ),
    (
        (
            "access denied",
            "Unauthenticated",
            "PermissionDenied",
            "permission denied",
            "UnauthorizedOperation",
            "not authorized",
            "AuthorizationFailed",
            "forbidden",
            "AccessDenied",
            "no EC2 IMDS role",
            "could not find credentials",
        ),
        "the storage driver may not do it in the cloud's account",
        "Give the driver's service account the role that its documentation names (IAM, workload identity).",
    ),
    (
        ("than the minimum", "minimum size", "smaller than", "invalid size", "than the maximum"),
        "the storage class makes no volumes of this size",
        "Set a size that it makes in the cache profile (storageSize), or name another class there.",
    ),
    (
        ("no topology key", "no available topology", "accessibility requirements", "topology requirement"),
        "the storage driver runs on none of the nodes that fit",
        "See that the driver's DaemonSet runs on the nodes of the profile, and that the class allows their zone.",
    ),
    (
        ("DeadlineExceeded", "context deadline exceeded", "timed out", "connection refused", "Unavailable"),
        "the storage system does not answer its driver",
        "Look at the driver's controller and at the storage system; it is tried again.",
    ),
)
"""Why a volume is not made, by the words of its driver: the fragments, the reason and the cure."""

WAITING_CLAIMS: tuple[Rule, ...] = (
    Rule(
        code="PvcUnbound",
        seen=("waiting for a volume to be created",),
        message=("The storage system is making the volume.",),
        who="nobody",
        remedies=(_LOOK_AT_CLAIMS, _LOOK_AT_ALL),
    ),
    *(
        Rule(
            code="PvcUnbound",
            seen=tuple(f"failed to provision volume … {fragment}" for fragment in fragments),
            take=(r"StorageClass \\?\"[^\"\\]+\\?\": (?P<why>.+)", r"StorageClass \\?\"(?P<storage_class>[^\"\\]+)"),
            message=(f"The volume could not be made: {why}.",),
            who="admin",
            remedies=(advise(cure), _LOOK_AT_CLAIMS, _LOOK_AT_ALL),
        )
        for fragments, why, cure in _NOT_MADE
    ),
    Rule(
        code="PvcUnbound",
        seen=("no storage class is set",),
        message=("The claim names no storage class, and the cluster has no default one.",),
        who="admin",
        remedies=(
            run("Make a class the default one, or name one in the cache profile.", "kubectl get storageclass"),
            set_field("cacheProfile", None, "Or do without the cache: remove cacheProfile."),
        ),
    ),
    Rule(
        code="PvcUnbound",
        seen=("failed to provision volume",),
        take=(r"StorageClass \\?\"[^\"\\]+\\?\": (?P<why>.+)", r"StorageClass \\?\"(?P<storage_class>[^\"\\]+)"),
        message=("The volume could not be made: {why}", "The volume could not be made."),
        who="admin",
        remedies=(_LOOK_AT_CLAIMS, _LOOK_AT_ALL),
    ),
    Rule(
        code="PvcUnbound",
        seen=("failed", "error", "cannot", "could not", "not found"),
        reasons=("ProvisioningFailed", "FailedBinding"),
        take=(r"(?P<why>\S.+)",),
        message=("The volume could not be made: {why}", "The volume could not be made."),
        who="admin",
        remedies=(_LOOK_AT_CLAIMS, _LOOK_AT_ALL),
    ),
    Rule(
        code="PvcUnbound",
        seen=(
            "unbound immediate PersistentVolumeClaims",
            "find available persistent volumes",
            "not have enough free storage",
        ),
        message=('The volume that "{name}" needs does not exist yet.',),
        who="admin",
        remedies=(_LOOK_AT_CLAIMS, _LOOK_AT_ALL),
    ),
)

# The last: the kubelet has not read it yet, and tries again.
_OF_SECRETS = ("secret … not found", "configmap … not found", "find key", "failed to sync", "… not registered")
_ACTIONS = ("MountVolume.SetUp", "MountVolume.MountDevice", "AttachVolume.Attach")
_MOUNT_FAILS: tuple[tuple[tuple[str, ...], str, tuple[Template, ...]], ...] = (
    (
        ("registered CSI drivers", "does not contain driver"),
        "its CSI driver does not run on the node",
        (
            advise(
                "See that the driver {driver} runs on node {node}: its DaemonSet may lack a toleration for it.",
                "See that the volume's CSI driver runs on the node.",
            ),
            DELETE_POD,
        ),
    ),
    (
        ("access denied by server", "mount.nfs: Operation not permitted"),
        "the file server does not let this node in",
        (advise("Let the nodes' addresses into the server's export, or its access policy (EFS: the access point)."),),
    ),
    (
        ("sidecar container in Pod spec", "inject the sidecar"),
        "its driver works by a sidecar, and the Pod has none",
        (
            advise(
                'Set the annotation gke-gcsfuse/volumes: "true" on the Model\'s Pods (modelServerPods.jsonPatches in '
                "kubeai-config), and see that the driver's webhook runs."
            ),
        ),
    ),
    (
        ("PermissionDenied", "Permission … denied on", "Forbidden", "Access Denied", "AccessDenied", "Unauthenticated"),
        "the storage refuses the login of the Pod or of the driver",
        (
            advise(
                "Give the service account of the Pods, or that of the driver, the right to list and read it (IAM, "
                "workload identity)."
            ),
        ),
    ),
    (
        ("need a /sbin/mount", "bad option", "unknown filesystem type", "executable file not found"),
        "the node lacks the program for this file system",
        (advise("Install the client on the nodes: nfs-common or nfs-utils, cifs-utils, ceph-common."),),
    ),
    (
        ("No such file or directory",),
        "the path of the volume does not exist",
        (advise("Make the folder on the storage, or correct the path of the PersistentVolume."),),
    ),
    (
        (
            "timed out",
            "DeadlineExceeded",
            "No route to host",
            "Connection refused",
            "Failed to resolve",
            "Name or service not known",
        ),
        "the storage does not answer this node",
        (advise("Open the way from the nodes to the storage (EFS and NFS: port 2049), and see that it runs."),),
    ),
    (
        ("failed to fetch token",),
        "the API server gives the kubelet no token for the Pod's service account",
        (
            advise(
                "See that the service account of modelServerPods exists in namespace {namespace}, and that the API "
                "server issues tokens.",
            ),
        ),
    ),
    (
        ("already attached", "VolumeInUse", "in use by", "already used by", "volume is in use"),
        "another node still holds it",
        (
            advise(
                "Wait some minutes while the other node lets go of it; if it stays, delete its VolumeAttachment, or "
                "stop the Pod that uses it."
            ),
            run("See which node holds it.", "kubectl get volumeattachments"),
        ),
    ),
    (
        ("attachment limit", "maximum number of … volumes", "Attachment limit", "too many … volumes"),
        "the node holds as many volumes as it may",
        (advise("Take a node that may hold more volumes, or put fewer Pods with volumes on it."), DELETE_POD),
    ),
)
"""What keeps a volume from a node, by the words of its driver; the first that fits."""

ZONES: tuple[Rule, ...] = (
    Rule(
        code="VolumeNodeAffinity",
        seen=("volume node affinity conflict", "match PersistentVolume's node affinity", "no available volume zone"),
        message=(
            "The volume lies in another zone than the nodes that fit profile {profile_name}.",
            "The volume lies in another zone than the nodes that fit.",
        ),
        who="admin",
        remedies=(advise("Make the volume in the zone of those nodes, or add nodes in its zone."),),
    ),
)

VOLUMES: tuple[Rule, ...] = (
    Rule(
        code="VolumeMountFailed",
        seen=("exceed max volume count",),
        message=("The nodes that fit hold as many volumes as they may.",),
        who="admin",
        remedies=(advise("Add a node, or put fewer Pods with volumes on those that fit."),),
    ),
    Rule(
        code="VolumeMountFailed",
        seen=("failed to prepare subPath",),
        take=(r"volumeMount \\?\"(?P<volume>[^\"\\]+)",),
        message=(
            'The volume "{volume}" is there, but the folder or file of it that the container is to get is not.',
            "A volume is there, but the folder or file of it that the container is to get is not.",
        ),
        who="admin",
        remedies=(
            DELETE_POD,
            advise(
                "If the next Pod fails too: look at subPath in modelServerPods, and at the volume's owner and mode."
            ),
        ),
    ),
    Rule(
        code="VolumeMountFailed",
        seen=("Multi-Attach error for volume",),
        reasons=_MOUNTS,
        take=(r"used by pod\(s\) (?P<other>[\w.-]+)",),
        message=(
            "The volume is held by another Pod ({other}) and may be used on one node only.",
            "The volume is held by another Pod and may be used on one node only.",
        ),
        who="user",
        remedies=(
            run("Stop the other Pod.", "kubectl -n {namespace} delete pod {other}"),
            advise("Stop the Pod that holds the volume, or the admin moves to a class with ReadWriteMany."),
        ),
    ),
    *(
        Rule(
            code="VolumeMountFailed",
            seen=tuple(f"{action} failed for volume … {fragment}" for action in _ACTIONS for fragment in fragments),
            unless=_OF_SECRETS,
            reasons=_MOUNTS,
            take=(r"for volume \\?\"(?P<volume>[^\"\\]+)", r"driver(?: name)? (?P<driver>[\w-]+\.[\w.-]*\w)"),
            message=(
                f'The volume "{{volume}}" cannot be mounted: {why}.',
                f"A volume cannot be mounted: {why}.",
            ),
            who="admin",
            remedies=remedies,
        )
        for fragments, why, remedies in _MOUNT_FAILS
    ),
    Rule(
        code="VolumeMountFailed",
        seen=("MountVolume.SetUp failed", "MountVolume.MountDevice failed", "AttachVolume.Attach failed"),
        unless=_OF_SECRETS,
        reasons=_MOUNTS,
        take=(r"for volume \\?\"(?P<volume>[^\"\\]+)",),
        message=('The volume "{volume}" cannot be mounted.', "A volume cannot be mounted."),
        who="admin",
        remedies=(advise("Look at the storage system; the Event has its words."),),
    ),
)
ECHO = Rule(
    code="VolumeMountFailed",
    seen=("unmounted volumes=", "failed to stat … /volumes/"),
    unless=_OF_SECRETS,
    take=(r"unmounted volumes=\[(?P<volume>[\w-]+)", r"volumes/(?P<volume>[\w.~-]+/[\w-]+)"),
    message=(
        'The volume "{volume}" is not mounted, and nobody says why: its storage does not answer.',
        "A volume is not mounted, and nobody says why: its storage does not answer.",
    ),
    who="admin",
    remedies=(_LOOK_AT_ALL, advise("Look at the storage system and at its driver on the node.")),
)
"""The kubelet's echo of what another Event, or nobody, explains."""
STORAGE: tuple[Rule, ...] = (*CLAIMS, *WAITING_CLAIMS, *ZONES, *VOLUMES)


def claim_passages(scene: Scene, pod: Pod | None = None) -> tuple[Passage, ...]:
    """Events of the claims that the Pod (or any Pod of the Model) waits for; those of bound claims are history."""
    bound = {
        text_at(claim, "metadata", "name")
        for claim in scene.observation.claims
        if text_at(claim, "status", "phase") == "Bound"
    }
    volumes = maps_at(pod.raw, "spec", "volumes") if pod else ()
    mine = {text_at(volume, "persistentVolumeClaim", "claimName") for volume in volumes} - {""}
    events = (event for event in scene.events if event.kind == "PersistentVolumeClaim" and event.name not in bound)
    return tuple(event_passage(event) for event in events if not mine or event.name in mine)


def waiting_claim(scene: Scene) -> Finding | None:
    """What keeps a claim of the Model unbound, with or without a Pod that waits for it."""
    return first((*CLAIMS, *WAITING_CLAIMS), claim_passages(scene), scene)
