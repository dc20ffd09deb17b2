"""Object stores: their settings, credentials, and what is not in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import APPLIED, DOWNLOAD_ONCE, advise, run, set_env
from kubeai_notebook.core.diagnosis.engine.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.diagnosis.engine.case import Case

_S3_KEYS = (
    advise(
        "Serve it again with the right keys: "
        'secrets={{"AWS_ACCESS_KEY_ID": SecretStr("…"), "AWS_SECRET_ACCESS_KEY": SecretStr("…")}}.'
    ),
    run(
        "Or, for all Models of the namespace, put them into the Secret that KubeAI reads.",
        "kubectl -n {namespace} create secret generic kubeai-aws --from-literal=accessKeyID=<id>"
        " --from-literal=secretAccessKey=<secret>" + APPLIED,
    ),
)
_GCP_SECRET = run(
    "Put the service account's key file into the Secret that KubeAI reads.",
    "kubectl -n {namespace} create secret generic kubeai-gcp --from-file=jsonKeyfile=<file>" + APPLIED,
)


def _without_tls(case: Case) -> Mapping[str, str]:
    """The Model's own address by http, where the text speaks of that: anything may stand in a log."""
    own = case.scene.variable("AWS_ENDPOINT_URL")
    scheme, _, rest = own.partition("://")
    same = rest.partition("/")[0] == case.values.get("endpoint", "")
    return {"plain_endpoint": f"http://{rest}"} if same and scheme.lower() == "https" else {}


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

_GOOGLE_REFUSES = ("'invalid_grant", "invalid_grant:", "invalid_client", "Could not read json file", "HTTPError 401")
"""What gcloud says of a key file that is wrong, revoked or of another account."""
CREDENTIALS: tuple[Rule, ...] = (
    Rule(
        code="CloudCredentialsMissing",
        seen=("GOOGLE_APPLICATION_CREDENTIALS: unbound variable",),
        message=("There are no Google Cloud credentials for {url}.", "There are no Google Cloud credentials."),
        who="user",
        remedies=(_GCP_SECRET,),
    ),
    Rule(
        code="CloudCredentialsMissing",
        seen=("Anonymous caller", "do not currently have an active account selected"),
        message=("There are no Google Cloud credentials for {url}.", "There are no Google Cloud credentials."),
        who="user",
        remedies=(_GCP_SECRET,),
    ),
    Rule(
        code="CloudCredentialsMissing",
        seen=("Unable to locate credentials", "Partial credentials found", "default credentials were not found"),
        take=(r"missing: (?P<missing>\w+)",),
        message=(
            "{missing} is missing for the bucket.",
            "There are no credentials for {url}.",
            "There are no credentials for the bucket.",
        ),
        who="user",
        remedies=_S3_KEYS,
    ),
    Rule(
        code="S3CredentialsRejected",
        seen=("RequestTimeTooSkewed",),
        message=(
            "The store refuses the request because the clock of {machine} is wrong.",
            "The store refuses the request because the node's clock is wrong.",
        ),
        who="admin",
        remedies=(
            advise("Set the clock of this machine right (NTP).", only="this machine"),
            advise("Set the node's clock right (NTP).", only="cluster"),
        ),
    ),
    Rule(
        code="S3CredentialsRejected",
        seen=(
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "(ExpiredToken",
            "Code=ExpiredToken",
            "(InvalidToken)",
            *_GOOGLE_REFUSES,
        ),
        take=(r"(?P<reason>InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|invalid_\w+)",),
        message=("The store refuses the credentials ({reason}).", "The store refuses the credentials."),
        who="user",
        remedies=_S3_KEYS,
    ),
    Rule(
        code="S3AccessDenied",
        seen=(
            "(AccessDenied)",
            "Code=AccessDenied",
            "(403) when calling",
            "does not have storage.",
            "AccessDeniedException",
        ),
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
        seen=("NoSuchBucket", "The specified bucket does not exist", "gs://… not found: 404", "gs://… does not exist"),
        message=("There is no bucket as named in {url}.", "There is no bucket of that name."),
        who="user",
        remedies=(advise('Correct the url; now it is "{url}".', "Correct the url."),),
    ),
    Rule(
        code="S3NotFound",
        seen=(
            "(404) when calling",
            "NoSuchKey",
            "URLs matched no objects",
            "matched no objects",
            "NotFoundException: 404",
        ),
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

S3_SETTINGS: tuple[Rule, ...] = (
    Rule(
        code="S3SettingsWrong",
        seen=(
            "(AuthorizationHeaderMalformed)",
            "(PermanentRedirect)",
            "(301) when calling",
            "You must specify a region",
        ),
        take=(r"expecting '(?P<region>[\w-]+)'", r"region '(?P<asked>[\w-]+)' is wrong"),
        message=(
            "The bucket lies in region {region}, not in {asked}.",
            "The bucket lies in region {region}.",
            "The bucket lies in another region than the one that was asked.",
        ),
        who="user",
        remedies=(
            set_env("AWS_DEFAULT_REGION", "{region}"),
            advise("Set env.AWS_DEFAULT_REGION to the bucket's region; AWS_REGION is not read."),
        ),
    ),
    Rule(
        code="S3SettingsWrong",
        seen=("Provided region_name",),
        take=(r"region_name '(?P<asked>[^']*)'",),
        message=('"{asked}" is no region name.', "AWS_DEFAULT_REGION is no region name."),
        who="user",
        remedies=(set_env("AWS_DEFAULT_REGION", "us-east-1", "Set env.{variable}, or the region of your store."),),
    ),
    Rule(
        code="S3SettingsWrong",
        seen=("WRONG_VERSION_NUMBER",),
        take=(r"https://(?P<endpoint>[\w.:-]+)",),
        message=(
            "The store {endpoint} speaks http, but was asked by https.",
            "The store speaks http, but was asked by https.",
        ),
        who="user",
        derive=_without_tls,
        remedies=(
            set_env("AWS_ENDPOINT_URL", "{plain_endpoint}"),
            advise("Begin env.AWS_ENDPOINT_URL with http://."),
        ),
    ),
    Rule(
        code="BrokenEngineImage",
        seen=("libstreamer due to … not supported",),
        message=("The image's streamer cannot read this kind of store: a library of it is missing.",),
        who="user",
        remedies=(DOWNLOAD_ONCE, advise("Set a cacheProfile, or image to a released one that can stream from it.")),
    ),
    Rule(
        code="S3SettingsWrong",
        seen=("libstreamer due to",),
        only=lambda case: case.scene.scheme in ("s3", "gs", "oss"),
        take=(r"due to: b ?'(?P<why>[^']+)'",),
        message=(
            "The engine's streamer cannot read {url} ({why}): endpoint, region or keys do not fit the store.",
            "The engine's streamer cannot read {url}: endpoint, region or keys do not fit the store.",
            "The engine's streamer cannot read the store.",
        ),
        who="user",
        remedies=(
            advise("Set env.AWS_ENDPOINT_URL and env.AWS_DEFAULT_REGION as the store wants them, and its keys."),
            set_env(
                "RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING",
                "0",
                "If the store is not Amazon's, have its buckets named in the path: env.{variable}.",
            ),
            DOWNLOAD_ONCE,
        ),
    ),
    Rule(
        code="S3SettingsWrong",
        seen=("Invalid endpoint:", "closed before we received a valid response"),
        take=(r"Invalid endpoint: (?P<endpoint>\S+)", r'endpoint URL: "(?P<endpoint>[^"]+)"'),
        message=("AWS_ENDPOINT_URL does not fit the store ({endpoint}).", "AWS_ENDPOINT_URL does not fit the store."),
        who="user",
        remedies=(advise("Write env.AWS_ENDPOINT_URL as http://host:port or https://host:port, as the store speaks."),),
    ),
)
