"""The verbs of the server, one row each: routes, checks, rights and the OpenAPI description are all made of these rows.

A browser names a row and nothing else: no path and no kind of Kubernetes comes from outside, so what can
be asked of a cluster through this server is this list. The rows are plain data: Jupyter Server reads them as it starts,
before anything heavy may be imported, so functions and results stand here by their names.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = "kubeai"
"""Below Jupyter's base url."""
NAME: Final = r"[a-z0-9][a-z0-9.-]{0,252}"
"""A Model's name in a path: all that Kubernetes can have a Model called."""
Action = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a request may bring: in the query of a GET or DELETE, in the body of a POST."""

    name: str
    schema: Mapping[str, Any]
    """Its JSON schema: the request is checked by it, and the description shows it."""
    summary: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """One row."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    """Below `ROOT`; ``{name}`` is a Model's."""
    verb: str
    """The function of `server.verbs`."""
    action: Action
    """What Jupyter's authorizer is asked for. A dry run that a POST brings is ``read``."""
    result: str
    """The type of `present.server_wire` or `present.wire` that it answers with."""
    summary: str
    parameters: tuple[Parameter, ...] = field(default=())


def _text(longest: int = 253, **more: Any) -> dict[str, Any]:
    return {"type": "string", "maxLength": longest, **more}


def _number(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


_SWITCH: Final = {"type": "boolean"}
_FIELDS = Parameter("fields", {"type": "object"}, "The fields of a Model, as serve() takes them.", required=True)
_YES = Parameter("yes", _SWITCH, "Also where somebody else served the Model.")
_FORCE = Parameter("force", _SWITCH, "Also where the preflight says that it cannot serve here.")
_VERSION = Parameter(
    "resource_version", _text(64), "That of the dry run that was shown; refused where the Model has changed since."
)
_DRY_RUN = Parameter("dry_run", _SWITCH, "Only say what would be done.")

_WHERE = Parameter(
    "where",
    _text(64),
    "The mark of the place it is meant for, as GET where says; refused where that is another by now.",
)
_UID = Parameter("uid", _text(64), "Of the Model it is meant for; refused where another one has the name by now.")


def _of_a_place(verb: Verb) -> Verb:
    """The row with the place that it is meant for, and the Model.

    The place is one setting of the whole server, and whoever asks may have been shown another one's Models. So what
    changes a Model, and what is asked before that, has to name the place; what only reads may.
    """
    if not verb.path.startswith(("models", "plan")):
        return verb
    leads_to_a_change = verb.action == "write" or verb.verb in ("plan", "stake")
    meant = (_UID,) if leads_to_a_change and "{name}" in verb.path else ()
    return replace(verb, parameters=(*verb.parameters, *meant, replace(_WHERE, required=leads_to_a_change)))


_ROWS: Final[tuple[Verb, ...]] = (
    Verb("GET", "where", "where", "read", "Where", "The cluster, the namespace and the login in use."),
    Verb(
        "POST", "where", "use", "write", "Where",
        "Work in another context or namespace from now on; every open stream ends and begins anew there.",
        (
            Parameter("context", _text(), 'One of the server\'s kubeconfig, or "local"; left out, it stays.'),
            Parameter("namespace", _text(63, pattern="^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$"), "Left out, it stays."),
        ),
    ),
    Verb("GET", "contexts", "contexts", "read", "Contexts", "The contexts that can be worked in."),
    Verb("GET", "models", "list_models", "read", "ModelsTable", "All Models of the namespace, one row each."),
    Verb("GET", "models/{name}", "get", "read", "Card", "One Model, as its card shows it."),
    Verb(
        "POST", "draft", "draft", "read", "Drafted", "All that can be said of some fields; the cluster is not asked.",
        (_FIELDS,),
    ),
    Verb(
        "POST", "plan", "plan", "read", "Planned", "What serving these fields would do; nothing is changed.",
        (_FIELDS,),
    ),
    Verb(
        "POST", "models", "serve", "write", "Done", "Create or update a Model, and return at once.",
        (_FIELDS, _YES, _FORCE),
    ),
    Verb(
        "POST", "models/{name}/scale", "scale", "write", "Done", "Ask for a number of replicas; 0 lets it sleep.",
        (Parameter("replicas", _number(0, 10_000), "How many.", required=True), _YES),
    ),
    Verb("POST", "models/{name}/pause", "pause", "write", "Done", "Take all Pods away until it is resumed.", (_YES,)),
    Verb("POST", "models/{name}/resume", "resume", "write", "Done", "Take a pause back.", (_YES,)),
    Verb("POST", "models/{name}/restart", "restart", "write", "Done", "Replace its Pods, one by one.", (_YES,)),
    Verb("POST", "models/{name}/rollback", "rollback", "write", "Done", "Go back to the spec from before.", (_YES,)),
    Verb(
        "POST", "models/{name}/fix", "fix", "write", "Done", "Make the change of a Remedy that its card shows.",
        (
            Parameter("remedy_id", _text(32, pattern="^[0-9a-f]{32}$"), "The Remedy's id.", required=True),
            _DRY_RUN, _VERSION, _YES,
        ),
    ),
    Verb("GET", "models/{name}/stake", "stake", "read", "Done", "What goes where the Model is deleted."),
    Verb("DELETE", "models/{name}", "delete", "write", "Done", "Delete it and its Pods.", (_YES,)),
    Verb(
        "GET", "models/{name}/logs", "logs", "read", "LogText", "The end of its engine's log.",
        (
            Parameter("tail_lines", _number(1, 5_000), "How many lines; by default 200."),
            Parameter("previous", _SWITCH, "Of the run before the present one."),
            Parameter("pod", _text(pattern=rf"^({NAME})?$"), "By default one that is broken, else the newest."),
            Parameter("container", _text(pattern=rf"^({NAME})?$"), "By default the engine's."),
        ),
    ),
    Verb("GET", "models/{name}/events", "events", "read", "Events", "What happened to its Pods, the newest first."),
    Verb("GET", "models/{name}/yaml", "yaml", "read", "CodeText", "Its Manifest, secrets masked."),
    Verb("GET", "models/{name}/code", "code", "read", "CodeText", "Python that calls it; no token is in it."),
    Verb(
        "GET", "catalog", "catalog", "read", "Catalog", "What can be served.",
        (
            Parameter("text", _text(), "Words of the url, title or Model."),
            Parameter("feature", _text(80), "Such as TextEmbedding, or a part of it."),
            Parameter("here", _SWITCH, "Only what lies on this machine."),
            Parameter("fits", _SWITCH, "Without what this machine has no room for, or cannot run."),
        ),
    ),
    Verb("GET", "rights", "rights", "read", "RightsList", "What the login may not do, and the Role that grants it."),
    Verb("GET", "doctor", "doctor", "read", "Examination", "Every station on the way to KubeAI."),
)  # fmt: skip
VERBS: Final = tuple(map(_of_a_place, _ROWS))
