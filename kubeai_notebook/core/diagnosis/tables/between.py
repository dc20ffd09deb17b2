"""What stands between here and KubeAI's gateway, and answers in a Model's place.

None of it is about the Model: another Pod of it would get the same answer, so no row here touches one. Most of these
parties answer with a page or a few words, which differ by product and by its configuration; so a row knows the texts
that are known, and where there is none the status decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import advise, ask, run
from kubeai_notebook.core.diagnosis.engine.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.diagnosis.engine.case import Case
    from kubeai_notebook.errors import Refuser

BETWEEN: frozenset[Refuser] = frozenset({"proxy", "mesh", "login", "api-server"})
"""Who is no part of KubeAI."""
_NAMES: Mapping[str, str] = {
    "proxy": "A proxy",
    "mesh": "The service mesh",
    "login": "A login page",
    "api-server": "The Kubernetes API server's proxy",
}


def _between(case: Case) -> Mapping[str, str]:
    """Who answered, and before whom: what KubeAI's gateway marks was answered behind it, by a sidecar of the Model."""
    given = case.scene.observation.answer
    behind = "the Model" if given and given.headers.get("x-proxy") else "KubeAI's gateway"
    return {"between": _NAMES.get(case.passage.reason, ""), "behind": behind}


_ADDRESS = ask("Look where the gateway's address leads: it is KubeAI's Service, or an ingress before it.", "doctor")

LOGIN_PAGE = Rule(
    code="LoginPage",
    seen=("invalid iap credentials", "oauth2-proxy"),
    message=(
        "A login page or a login proxy stands before KubeAI's gateway, and requests from here carry no login for it.",
    ),
    who="admin",
    remedies=(
        advise("Set the endpoint to an address of KubeAI's gateway without a login page, such as its Service."),
        advise("Or the admin lets programs past the login page."),
    ),
)
API_LOGIN = Rule(
    code="GatewayProxyForbidden",
    seen=("401 … unauthorized",),
    reasons=("api-server",),
    message=("The Kubernetes API server, through which KubeAI's gateway is asked, does not accept your login.",),
    who="user",
    remedies=(ask("Renew the login of your kubeconfig; the doctor says whose it is.", "doctor"),),
)
NOT_ALLOWED = Rule(
    code="ProxyRefused",
    seen=(),
    derive=_between,
    message=(
        "{between} before {behind} lets no request from here through.",
        "A proxy before KubeAI's gateway lets no request from here through.",
    ),
    who="admin",
    remedies=(advise("The admin lets requests from this notebook through to KubeAI's gateway."),),
)
NO_GATEWAY = Rule(
    code="NoGatewayThere",
    seen=(
        "default backend - 404",
        "no route matched with those values",
        "no cluster match",
        "404 page not found",
        'services "… not found',
        "missing authentication token",
    ),
    derive=_between,
    message=(
        "{between} answers at this address, and not KubeAI's gateway.",
        "Somebody else than KubeAI's gateway answers at this address.",
    ),
    who="admin",
    remedies=(_ADDRESS,),
)
UNREACHABLE = Rule(
    code="GatewayUnreachable",
    seen=(
        "upstream connect error",
        "no healthy upstream",
        "no available server",
        "no endpoints available for service",
        "connection refused",
        "no route to host",
        "i/o timeout",
        "error dialing backend",
        "failure to get a peer",
        "response was received from the upstream server",
    ),
    reasons=tuple(BETWEEN),
    derive=_between,
    message=(
        "{between} before {behind} gets no answer from it.",
        "A proxy before KubeAI's gateway gets no answer from it.",
    ),
    who="admin",
    remedies=(
        advise("Ask again in a minute: while {behind} restarts, this passes by itself."),
        run(
            "The admin looks whether KubeAI's own Pod is ready, and what its Service leads to.",
            "kubectl -n {operator_ns} get pods,services,endpoints",
        ),
        advise(
            "The admin looks whether KubeAI's own Pod is ready, and what its Service leads to.", unless="operator_ns"
        ),
    ),
)
TOO_LATE = Rule(
    code="ProxyTimeout",
    seen=(
        "upstream request timeout",
        "upstream max stream duration",
        "stream timeout",
        "upstream server is timing out",
        "endpoint request timed out",
        "context deadline exceeded",
        "request did not complete within",
    ),
    reasons=tuple(BETWEEN),
    derive=_between,
    message=(
        "{between} before {behind} did not wait for the answer: its time-out is shorter than the Model took.",
        "A proxy before KubeAI's gateway did not wait for the answer: its time-out is shorter than the Model took.",
    ),
    who="admin",
    remedies=(
        advise("Stream the answer or ask for fewer tokens; a Model that wakes up takes longest at its first request."),
        advise("The admin raises the proxy's time-out for KubeAI's gateway."),
    ),
)
TOO_LARGE = Rule(
    code="ProxyBodyLimit",
    seen=("request entity too large", "payload too large", "content too large"),
    reasons=tuple(BETWEEN),
    derive=_between,
    message=(
        "{between} before {behind} takes no request of this size.",
        "A proxy before KubeAI's gateway takes no request of this size.",
    ),
    who="admin",
    remedies=(
        advise("Send less at once, such as fewer texts."),
        advise("The admin raises the proxy's limit on the size of a request."),
    ),
)
TOO_MANY = Rule(
    code="ProxyRateLimit",
    seen=("local_rate_limited", "rate limit exceeded", "too many requests"),
    reasons=tuple(BETWEEN),
    derive=_between,
    message=(
        "{between} before {behind} takes no more requests from here for now.",
        "A proxy before KubeAI's gateway takes no more requests from here for now.",
    ),
    who="admin",
    remedies=(
        advise("Ask again a little later, with fewer requests at once."),
        advise("The admin raises the proxy's limit on requests."),
    ),
)

TEXTS: tuple[Rule, ...] = (
    Rule(
        code="MeshRefused",
        seen=("rbac: access denied", "unauthorized connection on"),
        message=("The service mesh lets no request from here through to KubeAI's gateway or the Model.",),
        who="admin",
        remedies=(
            advise("The admin lets this notebook's service account in by an AuthorizationPolicy of the mesh."),
            run("See which policies there are.", "kubectl -n {operator_ns} get authorizationpolicies"),
        ),
    ),
    Rule(
        code="MeshRefused",
        seen=("jwt is missing", "jwt verification fails", "jwt issuer is not", "jwt is expired", "audiences in jwt"),
        message=("The service mesh wants a token (JWT) that requests from here do not carry.",),
        who="admin",
        remedies=(advise("The admin lets this notebook in without one, by a RequestAuthentication of the mesh."),),
    ),
    Rule(
        code="MeshTlsMismatch",
        seen=("wrong_version_number", "tls error:", "tls_error", "certificate_verify_failed"),
        reasons=tuple(BETWEEN),
        message=("The service mesh cannot reach the server behind it: the two do not agree on TLS (mTLS).",),
        who="admin",
        remedies=(
            advise("The admin sets mTLS to PERMISSIVE (PeerAuthentication) there, or takes both sides into the mesh."),
        ),
    ),
    Rule(
        code="GatewayProxyForbidden",
        seen=("services/proxy",),
        reasons=("api-server",),
        message=("You may not reach KubeAI's gateway through the Kubernetes API.",),
        who="admin",
        remedies=(
            advise(
                "A Role with this rule allows it: "
                '- {{apiGroups: [""], resources: ["services/proxy"], verbs: ["get", "create"]}}'
            ),
        ),
    ),
    API_LOGIN,
    LOGIN_PAGE,
    NO_GATEWAY,
    TOO_LATE,
    UNREACHABLE,
    TOO_LARGE,
    TOO_MANY,
)

_BY_STATUS: Mapping[int, Rule] = {
    401: LOGIN_PAGE,
    404: NO_GATEWAY,
    405: NO_GATEWAY,
    407: LOGIN_PAGE,
    408: TOO_LATE,
    413: TOO_LARGE,
    429: TOO_MANY,
    504: TOO_LATE,
    524: TOO_LATE,  # Cloudflare's own
}


def rule_for(status: int, who: Refuser) -> Rule:
    """The row for an answer of theirs whose text no row knows."""
    if who == "login":
        return LOGIN_PAGE
    if status < 400:
        return NO_GATEWAY
    if who == "api-server" and status == 401:
        return API_LOGIN
    return _BY_STATUS.get(status, UNREACHABLE if status >= 500 else NOT_ALLOWED)
