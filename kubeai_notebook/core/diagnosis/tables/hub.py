"""The hub, its tokens and the way to it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import APPLIED, advise, drop_argument, drop_env, run
from kubeai_notebook.core.diagnosis.engine.rule import Rule

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case

# Repositories as hub errors name them, in urls of any mirror and in words.
REPO = (
    r"(?:access to model|repo(?:sitory)? model|model) '?(?P<repo>[\w.-]+/[\w.-]+)'? "
    r"(?:is (?:restricted|gated)|not found|requires)",
    r"https?://[^/\s]+/(?:api/models/)?(?P<repo>[\w.-]+/[\w.-]+)/(?:resolve|revision|tree|raw)/",
)
HOST = (
    r"(?:host=\\*'|https?://)(?P<host>[\w.-]*[a-z0-9])",
    r"lookup (?P<host>[\w.-]+)",
)
_ENGINES_THAT_MISREAD_CLAIMS = ("Infinity", "FasterWhisper")

_ask = advise(
    "Ask for access on https://huggingface.co/{repo} with the account that the token belongs to; then restart the Pod.",
    "Ask for access on the model's page with the account that the token belongs to; then restart the Pod.",
)
_accept = advise(
    "Accept the license on https://huggingface.co/{repo} and make a token with the right to read it.",
    "Accept the license on the model's page and make a token with the right to read it.",
)
_token = (
    advise('Serve it again with a token of an account that has access: secrets={{"HF_TOKEN": SecretStr("…")}}.'),
    run(
        "Or, for all Models of the namespace, put the token into the Secret that KubeAI reads.",
        "kubectl -n {namespace} create secret generic kubeai-huggingface --from-literal=token=<token>" + APPLIED,
    ),
)


def token_given(case: Case) -> bool:
    """Whether the Pod surely has a hub token: an optional secret reference alone proves nothing."""
    if case.scene.variable("HF_TOKEN") or case.scene.variable("HUGGING_FACE_HUB_TOKEN"):
        return True
    pod = case.pod
    source = pod.env.get("HF_TOKEN", {}).get("valueFrom") if pod else None
    reference = source.get("secretKeyRef") if isinstance(source, dict) else None
    return isinstance(reference, dict) and reference.get("optional") is not True


def _no_token(case: Case) -> bool:
    return not token_given(case)


def misread_claim(case: Case) -> bool:
    """Whether the engine took the name of a claim for that of a repository."""
    return case.scene.scheme == "pvc" and case.scene.engine in _ENGINES_THAT_MISREAD_CLAIMS


def _real_repository(case: Case) -> bool:
    return not misread_claim(case)


_not_authorized = partial(Rule, code="GatedModelNotAuthorized", take=REPO, who="user", remedies=(_ask,))
_without_token = partial(
    Rule,
    code="GatedModelNoToken",
    take=REPO,
    message=("The model {repo} is gated and no token was sent.", "The model is gated and no token was sent."),
    who="user",
    remedies=(_accept, *_token),
)
_NOT_YET = (
    "The token's account has no access to the gated model {repo} yet.",
    "The token's account has no access to this gated model yet.",
)
_GATED = (
    Rule(
        code="HubTokenLacksPermission",
        seen=("fine-grained token settings",),
        take=REPO,
        message=(
            "The token may not read gated repositories such as {repo}; its fine-grained settings forbid it.",
            "The token may not read gated repositories; its fine-grained settings forbid it.",
        ),
        who="user",
        remedies=(
            advise('Allow "read access to public gated repositories" at https://huggingface.co/settings/tokens.'),
        ),
    ),
    _not_authorized(
        seen=("not in the authorized list", "is awaiting a review"),
        message=_NOT_YET,
    ),
    _not_authorized(
        seen=("requires approval",),
        only=token_given,
        message=_NOT_YET,
    ),
    _without_token(seen=("be authenticated to access it", "repo model … is gated")),
    _without_token(seen=("requires approval",), only=_no_token),
)


def _holds_foreign_letters(case: Case) -> bool:
    """Whether the token cannot go into a header of HTTP, or what cannot is surely the token."""
    given = case.scene.variable("HF_TOKEN") or case.scene.variable("HUGGING_FACE_HUB_TOKEN")
    return case.has_ended and (not given.isascii() or "normalize_header_value" in case.above(6))


_NAMES = (
    Rule(
        code="HubTokenInvalid",
        seen=("codec can't encode character",),
        only=_holds_foreign_letters,
        message=("The Hugging Face token holds letters that no token has: it was not copied as it is.",),
        who="user",
        remedies=(drop_env("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"), *_token),
    ),
    Rule(
        code="HubTokenInvalid",
        seen=(
            "Invalid credentials in Authorization header",
            "Invalid user token",
            "401 Client Error … whoami",
            "User access token … expired",
        ),
        message=("The Hugging Face token is wrong or revoked; the hub then refuses even public models.",),
        who="user",
        remedies=(
            drop_env("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
            *_token,
            advise(
                "If Secret kubeai-huggingface exists, its token wins over env.HF_TOKEN; replace or remove it.",
                only="cluster",
            ),
        ),
    ),
    Rule(
        code="RevisionNotFound",
        seen=("Revision Not Found", "not a valid git identifier"),
        take=(
            r"(?P<revision>[\w./-]+) is not a valid git identifier",
            r"/(?:resolve|revision)/(?P<revision>[^/\s]+?)(?:/|\.?$)",
            *REPO,
        ),
        message=(
            'The repository {repo} has no revision "{revision}".',
            'The repository has no revision "{revision}".',
            "The repository has no such revision.",
        ),
        who="user",
        remedies=(
            drop_argument("--revision", title="Use the newest one: remove {argument}."),
            drop_env("INFINITY_REVISION"),
            advise("Choose a branch, tag or commit from the model's page."),
        ),
    ),
    Rule(
        code="ModelNotFound",
        seen=(
            "Repository Not Found",
            "not a valid model identifier",
            "is not a local folder or a valid repository name",
            "Cannot access repository for url",
            "error from HF API … response code: 40",
            "Error: Model '…' not found",
            "Invalid model size",
            "pull model manifest: file does not exist",
            "is not a valid quantization scheme",
            "unauthorized: access denied",
        ),
        only=_real_repository,
        take=(
            r"(?P<repo>[\w.-]+/[\w.-]+) is not a local folder",
            r"Model '(?P<repo>[^']+)' not found",
            r"Invalid model size '(?P<repo>[^']+)'",
            *REPO,
        ),
        message=(
            "The hub has no model {repo} that may be read: it is misspelt, private or gone.",
            "The registry has no model {weights} that may be read: it is misspelt, private or gone.",
            "The hub has no such model that may be read: it is misspelt, private or gone.",
        ),
        who="user",
        remedies=(
            advise('Correct the url; now it is "{url}".', "Correct the url."),
            advise(
                'If {repo} is private, give a token that may read it: secrets={{"HF_TOKEN": SecretStr("…")}}.',
                "If the model is private, give a token that may read it.",
            ),
        ),
    ),
    Rule(
        code="OfflineNoCache",
        seen=("offline mode is enabled", "outgoing traffic has been disabled"),
        message=('Downloads are switched off and the weights of "{name}" are not there yet.',),
        who="user",
        remedies=(
            drop_env("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"),
            advise("Remove HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE wherever they are set."),
        ),
    ),
    Rule(
        code="HubRateLimited",
        seen=("429 Client Error", "429 Too Many Requests"),
        take=HOST,
        message=("{host} limits how often this address may ask.", "The hub limits how often this address may ask."),
        who="user",
        remedies=(advise("Wait: it is tried again. An account's token may ask more often."), *_token),
    ),
    Rule(
        code="SourceServerError",
        seen=("Server Error: … for url", "Server error '5", "(SlowDown)", "(InternalError)", "(50 … ) when calling"),
        take=(
            r"(?P<status>5\d\d) Server Error",
            r"Server error '(?P<status>5\d\d)",
            r"\((?P<status>SlowDown|InternalError)\)",
            *HOST,
        ),
        message=(
            "{host} has trouble of its own (it answered {status}).",
            "The store has trouble of its own (it answered {status}).",
            "The store of the weights has trouble of its own.",
        ),
        who="nobody",
        remedies=(advise("Wait: the Pod tries again by itself."),),
    ),
)

_GATED_WORDS = ("Cannot access gated repo", "trying to access a gated repo", "is a gated repository")
_HUB = "https://huggingface.co/"
_FORBIDDEN = ("Make sure your token has the correct permissions",)


def _is_of_weights(case: Case) -> bool:
    # A thread of transformers asks a repository for its discussions, and does without them.
    return case.has_ended and "discussion" not in case.above(4)


# The hub's first sentence alone, where the one that says why was cut off.
_GATED_SOMEHOW = (
    _not_authorized(
        seen=_GATED_WORDS,
        only=token_given,
        message=(
            "The token's account has no access to the gated model {repo}.",
            "The token's account has no access to this gated model.",
        ),
    ),
    _without_token(seen=_GATED_WORDS),
    Rule(
        code="HubTokenLacksPermission",
        seen=_FORBIDDEN,
        only=lambda case: _is_of_weights(case) and (token_given(case) or _HUB in case.above(3)),
        take=REPO,
        message=("The token may not read {repo}.", "The token may not read the repository."),
        who="user",
        remedies=(advise("Allow it to read the repository at https://huggingface.co/settings/tokens."), *_token),
    ),
    Rule(
        # The hub's library words every 403 like this, also that of a mirror or proxy that nobody gave a token.
        code="SourceUnreachable",
        seen=_FORBIDDEN,
        only=_is_of_weights,
        take=(*REPO, *HOST),
        message=(
            "{host} forbids to read {repo} (403): a mirror, proxy or firewall may say so, or it wants a token.",
            "The source of the weights forbids to read them (403).",
        ),
        who="user",
        remedies=(
            advise("Ask the one who runs {host} whether it lets this repository through.", "Ask who runs the source."),
            *_token,
        ),
    ),
    Rule(
        # The hub gives a reason with each 401; a mirror in front of it, or in its place, mostly does not.
        code="HubTokenInvalid",
        seen=("Client error '401 Unauthorized' for url", "401 Client Error: Unauthorized for url"),
        only=lambda case: _is_of_weights(case) and not misread_claim(case),
        take=HOST,
        message=(
            "{host} wants a login (401): the token is missing, wrong, or none of this mirror's.",
            "The source of the weights wants a login (401): the token is missing, wrong, or none of this mirror's.",
        ),
        who="user",
        remedies=_token,
    ),
)

HUB: tuple[Rule, ...] = (*_GATED, *_NAMES, *_GATED_SOMEHOW)
