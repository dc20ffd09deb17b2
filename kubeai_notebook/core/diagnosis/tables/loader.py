"""The place where the weights are written, and the Job that writes them into a cache."""

from __future__ import annotations

from kubeai_notebook.core.diagnosis.engine.remedies import DOWNLOAD_ONCE, advise, run
from kubeai_notebook.core.diagnosis.engine.rule import Rule

DISK_FULL = Rule(
    code="DiskFull",
    seen=("no space left on device", "Not enough free disk space", "Disk quota exceeded"),
    unless=("dev/shm", "nccl", "shared memory", "</torch_"),
    far=(
        r"expected file size is: (?P<needed>[\d.]+ \w+)",
        r"target location (?P<path>\S+) only has (?P<free>[\d.]+ \w+)",
        r"(?:write|mkdir|open) (?P<path>/\S+?):",
    ),
    message=(
        'The disk is full: {path} has {free} free, a file of "{name}" needs {needed}.',
        'The disk filled up while the weights of "{name}" were written to {path}.',
        'The disk filled up while the weights of "{name}" were written.',
    ),
    who="admin",
    remedies=(
        run(
            "Enlarge the cache's volume.",
            "kubectl -n {namespace} patch pvc shared-model-cache-{cache_profile} --type=merge"
            ' -p \'{{"spec":{{"resources":{{"requests":{{"storage":"<size>"}}}}}}}}\'',
        ),
        advise(
            'KubeAI asks for 10Gi for each cache; from 0.23.2 on the admin sets storageSize in "{cache_profile}".',
            only="cluster",
        ),
        DOWNLOAD_ONCE,
        advise("Make room on this machine; the download then goes on by itself.", only="this machine"),
        advise("Or choose a smaller or a quantized model.", only="this machine"),
        advise("Choose a smaller or a quantized model, or nodes with more disk.", only="cluster"),
    ),
)

LOADER: tuple[Rule, ...] = (
    Rule(
        code="DestinationNotWritable",
        seen=(
            "cannot create directory … Read-only file system",
            "cannot create directory … Permission denied",
            "download failed … [Errno 30]",
            "OSError: [Errno 30] Read-only",
            "PermissionError: [Errno 13]",
            "Permission denied (os error 13)",
            "Read-only file system (os error 30)",
        ),
        unless=("file exists", "'/psm_", "ignored error while"),
        take=(
            r"directory [^/\w]*(?P<path>/[\w./@+-]+)",
            r"(?:file system|denied): '(?P<path>[^']+)'",
            r" to (?P<path>\S+) \[Errno",
        ),
        message=(
            "kubeai-local may write nothing to {path} on {machine}.",
            "kubeai-local may write nothing where the weights go on {machine}.",
            "The container may not write to {path}.",
            "The container may not write where the weights go.",
        ),
        who="admin",
        remedies=(
            advise(
                "Make the folder writable, or keep weights elsewhere: kubeai-local stop, then kubeai-local start "
                "--cache FOLDER.",
                only="this machine",
            ),
            advise(
                "Make the volume writable: access mode, fsGroup, and readOnlyRootFilesystem for the engine's own "
                "cache.",
                only="cluster",
            ),
        ),
    ),
    Rule(
        code="LoaderBroken",
        seen=(
            ": command not found",
            "is deprecated and no longer works",
            "$1: unbound variable",
            "$2: unbound variable",
        ),
        unless=("is deprecated. use",),
        take=(r"(?P<command>[\w.-]+): command not found", r"`(?P<command>[\w-]+)` is deprecated"),
        message=(
            'The loader image does not fit its script: "{command}" does not work in it.',
            "The loader image does not fit its script.",
        ),
        who="admin",
        remedies=(advise("Set modelLoading.image in kubeai-config to the image released with this KubeAI."),),
    ),
)
