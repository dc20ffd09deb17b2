"""Object stores, the loader, and folders that lack something."""

from __future__ import annotations

from kubeai_notebook.core.diagnosis.engine.remedies import APPLIED, advise, run, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Case, Rule

from .hub import misread_claim

_S3_SECRET = run(
    "Put the right keys into the Secret that KubeAI reads.",
    "kubectl -n {namespace} create secret generic kubeai-aws --from-literal=accessKeyID=<id>"
    " --from-literal=secretAccessKey=<secret>" + APPLIED,
)
_GCP_SECRET = run(
    "Put the service account's key file into the Secret that KubeAI reads.",
    "kubectl -n {namespace} create secret generic kubeai-gcp --from-file=jsonKeyfile=<file>" + APPLIED,
)
_COPY_ALL = advise(
    "Copy the whole repository to {path}, every file of it.", "Copy the whole repository, every file of it."
)


def _synced_nothing(case: Case) -> bool:
    """``aws s3 sync`` ended (another step of the script follows) and brought nothing: that counts as success."""
    after = case.passage.lowered[case.index + 1 :]
    nothing = not any(line.startswith(("download:", "download failed", "fatal error", "completed ")) for line in after)
    ended = any(line.startswith("[[ dir ==") for line in after)
    done = case.pod is not None and case.pod.main.ended.get("exitCode") == 0
    return nothing and (ended or done)


S3_NOTHING: tuple[Rule, ...] = (
    Rule(
        code="S3NotFound",
        seen=("aws s3 sync",),
        only=_synced_nothing,
        take=(r"sync '?(?P<prefix>s3://[^\s']+)",),
        message=(
            "There is nothing under {prefix}; small and capital letters differ there.",
            "There is nothing under the url.",
        ),
        who="user",
        remedies=(advise('Correct the url; now it is "{url}".', "Correct the url: bucket, prefix and letter case."),),
    ),
)

CREDENTIALS = (
    Rule(
        code="CloudCredentialsMissing",
        seen=("GOOGLE_APPLICATION_CREDENTIALS: unbound variable",),
        message=("There are no Google Cloud credentials for {url}.", "There are no Google Cloud credentials."),
        who="user",
        remedies=(_GCP_SECRET,),
    ),
    Rule(
        code="CloudCredentialsMissing",
        seen=("Unable to locate credentials", "Partial credentials found"),
        take=(r"missing: (?P<missing>\w+)",),
        message=(
            "{missing} is missing for the bucket.",
            "There are no credentials for {url}.",
            "There are no credentials for the bucket.",
        ),
        who="user",
        remedies=(_S3_SECRET,),
    ),
    Rule(
        code="S3CredentialsRejected",
        seen=("(RequestTimeTooSkewed)",),
        message=("The store refuses the request because the node's clock is wrong.",),
        who="admin",
        remedies=(advise("Set the node's clock right (NTP)."),),
    ),
    Rule(
        code="S3CredentialsRejected",
        seen=("(InvalidAccessKeyId)", "(SignatureDoesNotMatch)", "(ExpiredToken)", "(InvalidToken)"),
        take=(r"\((?P<reason>InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken)\)",),
        message=("The store refuses the credentials ({reason}).", "The store refuses the credentials."),
        who="user",
        remedies=(_S3_SECRET,),
    ),
    Rule(
        code="S3AccessDenied",
        seen=("(AccessDenied)", "(403) when calling", "does not have storage.objects"),
        take=(r"calling the (?P<operation>\w+) operation", r"s3://(?P<bucket>[\w.-]+)", r":::(?P<bucket>[\w.-]+)"),
        message=(
            "The credentials may not call {operation} on bucket {bucket}.",
            "The credentials may not call {operation} on the bucket.",
            "The credentials may not read the bucket.",
        ),
        who="admin",
        remedies=(advise("Allow this user to list and read the bucket (s3:ListBucket and s3:GetObject)."),),
    ),
    Rule(
        code="S3NotFound",
        seen=("(NoSuchBucket)",),
        message=("There is no bucket as named in {url}.", "There is no bucket of that name."),
        who="user",
        remedies=(advise('Correct the url; now it is "{url}".', "Correct the url."),),
    ),
    Rule(
        code="S3NotFound",
        seen=("(404) when calling", "(NoSuchKey)", "URLs matched no objects"),
        message=("There is nothing under {url}.", "There is nothing under the url."),
        who="user",
        remedies=(advise('Correct the url; now it is "{url}".', "Correct the url."),),
    ),
    *S3_NOTHING,
    Rule(
        code="S3ObjectsArchived",
        seen=("storage class GLACIER",),
        take=(r"Skipping file (?P<object>s3://\S+?)\.? Object",),
        message=(
            "{object} is archived in GLACIER and cannot be read.",
            "The objects are archived in GLACIER and cannot be read.",
        ),
        who="admin",
        remedies=(advise("Restore the archived objects, then delete the load Job."),),
    ),
)

LOADER = (
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
        message=("The container may not write to {path}.", "The container may not write where the weights go."),
        who="admin",
        remedies=(
            advise(
                "Make the volume writable: access mode, fsGroup, and readOnlyRootFilesystem for the engine's own cache."
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

FOLDERS = (
    Rule(
        code="ModelFolderIncomplete",
        seen=("repo id must … '/",),
        only=lambda case: "load_dir_path" in case.above(60),
        take=(r"'(?P<path>/[^']+)'\. Use", r"'(?P<path>/[^']+)'"),
        message=("The model's folder {path} lacks files.", "The model's folder lacks files."),
        who="user",
        remedies=(_COPY_ALL,),
    ),
    Rule(
        code="ModelFolderIncomplete",
        seen=(
            "no file named pytorch_model.bin",
            "Cannot find any model weights",
            "does not appear to have a file named",
            "does not appear to have files named",
        ),
        unless=("file named config.json",),
        take=(r"(?:directory|with) [`'\"]?(?P<path>[\w/.-]+[\w/-])", r"(?P<path>/[\w/.-]+) does not appear"),
        message=("There are no weights in {path}.", "There are no weights in the model's folder."),
        who="user",
        remedies=(_COPY_ALL,),
    ),
    Rule(
        code="ModelFolderIncomplete",
        seen=("instantiate the backend tokenizer", "Can't load tokenizer for '/"),
        message=('"{name}" has no tokenizer files beside its weights.',),
        who="user",
        remedies=(_COPY_ALL,),
    ),
    Rule(
        code="ModelFolderIncomplete",
        seen=("error: … NoneType",),
        only=lambda case: "tokenization" in case.above(8),
        message=('"{name}" has no tokenizer files beside its weights.',),
        who="user",
        remedies=(_COPY_ALL,),
    ),
    Rule(
        code="ModelPathMissing",
        seen=(
            "repo id must … '/",
            "failed to open GGUF file … No such file",
            "Incorrect path_or_model_id: '/",
        ),
        take=(r"GGUF file '(?P<path>[^']+)'", r"'(?P<path>/[^']+)'"),
        message=("There is no {path} in the container.", "The model's path does not exist in the container."),
        who="user",
        remedies=(advise("Name the folder that holds the model, as in pvc://claim/folder."),),
    ),
    Rule(
        code="InvalidModelUrl",
        seen=(
            "Repo id must be in the form",
            "Repo id must use alphanumeric",
            "Incorrect path_or_model_id: ",
            "Invalid bucket name",
            "Unknown options: /models",
            "Unsupported source url",
        ),
        take=(
            r"(?:96|'namespace/repo_name'|path_or_model_id): '(?P<asked>[^']+)'",
            r"source url: (?P<asked>\S+)",
            r'bucket name "(?P<asked>[^"]+)"',
        ),
        message=(
            '{engine} cannot load "{asked}" from the url "{url}".',
            '"{asked}" is no place that a model can be loaded from.',
            "The url names no place that a model can be loaded from.",
        ),
        who="user",
        remedies=(
            set_env(
                "INFINITY_MODEL_ID", "{infinity_path}", "Tell Infinity where the claim is mounted: env.{variable}."
            ),
            set_env(
                "WHISPER__MODEL", "{whisper_path}", "Tell FasterWhisper where the claim is mounted: env.{variable}."
            ),
            advise(
                'Correct the url; now it is "{url}".',
                "Correct the url: hf://org/model, s3://bucket/path or pvc://claim/path.",
            ),
        ),
    ),
    Rule(
        code="InvalidModelUrl",
        seen=("Repository Not Found", "not a valid model identifier"),
        only=misread_claim,
        message=(
            "{engine} takes the claim's name in {url} for a repository of the hub.",
            "The engine takes the claim's name for a repository of the hub.",
        ),
        who="user",
        remedies=(
            set_env(
                "INFINITY_MODEL_ID", "{infinity_path}", "Tell Infinity where the claim is mounted: env.{variable}."
            ),
            set_env(
                "WHISPER__MODEL", "{whisper_path}", "Tell FasterWhisper where the claim is mounted: env.{variable}."
            ),
        ),
    ),
)

STORES: tuple[Rule, ...] = (*CREDENTIALS, *LOADER, *FOLDERS)
