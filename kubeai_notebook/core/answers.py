"""Who refused a request, and in which words.

Six parties may answer in a Model's place, and none of them signs its answer: the engine, KubeAI's gateway, a proxy (an
ingress, a load balancer, Envoy), a service mesh, a login page, and the Kubernetes API server where the request goes
through it. Each has a next step of its own, and only the engine's is one about the Model. So they are told apart by
three things, the strongest first: texts that one program alone writes, the shape of the body (KubeAI writes
``{"error": "text"}``, engines ``{"error": {"message": …}}`` or ``{"detail": …}``, an API server a Status, a proxy a
page or plain words), and headers. Headers come last: a proxy puts its name on answers that it only passes on.

Calls and the diagnosis of the test request both ask here, so that one answer never has two authors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubeai_notebook.text import one_line

from .foreign import is_page, markup_words, page_of
from .masking import masked
from .objects import text_at

if TYPE_CHECKING:
    from kubeai_notebook.errors import Refuser

    from .observation import HttpAnswer

LONGEST_WORDS = 500
_LONGEST_BODY = 20_000
"""Characters of a body that are looked at."""
_DEEPEST, _SHOWN_ITEMS, _SHORT_LIST = 6, 3, 100
_TELLING = ("content-type", "location", "server", "via", "x-proxy", "x-kong-response-latency", "x-amzn-requestid")
_WORDS_AT = (
    "error_description", "message", "Message", "detail", "error", "errors", "error_msg", "msg", "fault", "faultstring",
    "reason", "title",
)  # fmt: skip
"""Where error bodies keep their sentence, the better ones first."""
_SIGNS: tuple[tuple[Refuser, tuple[str, ...]], ...] = (
    (
        "mesh",
        (
            "rbac: access denied", "jwt is missing", "jwt verification fails", "jwt issuer is not configured",
            "jwt is expired", "audiences in jwt are not allowed", "unauthorized connection on", "tls error:",
            "tls_error",
        ),
    ),
    (
        "api-server",
        (
            "error trying to reach service", "trying to reach: 'http", "no endpoints available for service",
            "error dialing backend", "no agent available",
        ),
    ),
    ("login", ("invalid iap credentials", "oauth2-proxy", "oauth2/start")),
    (
        "proxy",
        (
            "upstream connect error", "no healthy upstream", "upstream request timeout", "upstream max stream duration",
            "stream timeout", "no cluster match", "local_rate_limited", "default backend - 404", "no available server",
            "no route matched with those values", "response was received from the upstream server",
            "upstream server is timing out", "failure to get a peer", "api rate limit exceeded",
            "missing authentication token", "endpoint request timed out",
        ),
    ),
)  # fmt: skip
"""Texts that one party alone writes: Envoy and Istio, kube-apiserver, oauth2-proxy and Google's IAP, the ingresses of
nginx, Traefik and Kong, AWS's API Gateway."""
_LOGIN_PAGE = re.compile(
    r"<title[^>]*>[^<]*(?:\b(?:web)?(?:log[ -]?in|sign[ -]?in|log[ -]?on|sso)\b"
    r"|single sign|authenticat|anmeld|connexion|captive)"
    r"|type=[\"']?password|openid-connect|samlrequest",
    re.IGNORECASE,
)
_LOGIN_PATH = re.compile(
    r"(?<![a-z])(?:(?:web)?(?:log-?in|sign-?in|logon)(?:page|form)?|sso|auth(?:n|z|orize|enticate|entication)?|dex)"
    r"(?![a-z])|oauth|openid|saml|keycloak",
    re.IGNORECASE,
)
"""Words of an address, not parts of words: "lessons" and "/authors" ask for no login."""
_ERROR_TEXT = re.compile(r'\{\s*"error"\s*:\s*"')
_LOGIN_WANTED = (401, 407)
_SERVERS = ("uvicorn", "hypercorn", "gunicorn", "llama.cpp")
"""What engines call themselves in the header Server."""
_PROXIES = re.compile(
    r"nginx|openresty|envoy|istio|cloudflare|awselb|haproxy|traefik|kong|apisix|caddy|varnish|akamai|google|squid|azure",
    re.IGNORECASE,
)
_REFUSED = ("unauthorized", "forbidden", "not authenticated")
_KEPT_BY_PYDANTIC = frozenset(
    {"body", "query", "path", "header", "str", "int", "float", "bool", "list", "dict", "bytes"}
)
_PYDANTIC = re.compile(r"'loc': \((?P<loc>[^)]*)\), 'msg': (?P<quote>['\"])(?P<msg>.+?)(?P=quote)[,}]")
_INNER = re.compile(r"[\[{]\s*[\"'{\[]")


def telling(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that say who answered, by name in small letters; an address without what may be a login in it."""
    kept = {name: headers[name][:200] for name in _TELLING if headers.get(name)}
    if "location" in kept:
        kept["location"] = _without_query(headers["location"])
    return kept


def _without_query(address: str) -> str:
    try:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"[:200]
    except ValueError:
        return ""


def refuser_of(answer: HttpAnswer) -> Refuser:
    """Who wrote an answer that is no success, or no answer of a Model."""
    body = answer.body if isinstance(answer.body, str) else ""
    if isinstance(answer.status, int) and 300 <= answer.status < 400:
        return "login" if _LOGIN_PATH.search(answer.headers.get("location", "")) else "proxy"
    document = parsed(body)
    if isinstance(document, Mapping):
        return _by_shape(document, answer)
    low = body[:_LONGEST_BODY].lower()
    if is_page(low.encode()):
        return _signed(low) or ("login" if answer.status in _LOGIN_WANTED or _LOGIN_PAGE.search(low) else "proxy")
    return _signed(low) or _by_headers(low.strip(), answer)


def _signed(low: str) -> Refuser:
    return next((who for who, signs in _SIGNS if any(sign in low for sign in signs)), "")


def _by_shape(document: Mapping[str, Any], answer: HttpAnswer) -> Refuser:
    error, keys = document.get("error"), document.keys()
    signed = _signed(words_in(document).lower())
    of_api = text_at(document, "kind") == "Status" and text_at(document, "apiVersion")
    if of_api or text_at(document, "baseType") == "error":  # the latter is Rancher's, which stands before an API
        return "api-server"
    if signed:
        return signed
    if isinstance(error, str):
        if "error_description" in keys:
            return "login"
        if {"path", "timestamp"} <= keys:  # as Java's gateways write it
            return "proxy"
        refused = answer.status in (401, 403) and error.lower() in _REFUSED  # KubeAI's gateway asks for no key
        return "engine" if len(keys) > 1 or refused or answer.status == 200 else "gateway"
    of_proxy = {"error_msg", "fault", "request_id"} & keys or "problem+json" in answer.headers.get("content-type", "")
    kong_or_aws = {"x-kong-response-latency", "x-amzn-requestid"} & answer.headers.keys() and keys <= {"message"}
    return "proxy" if error is None and (of_proxy or kong_or_aws) else "engine"


def _by_headers(low: str, answer: HttpAnswer) -> Refuser:
    passed = answer.headers.get("x-proxy") == "lingo"  # KubeAI's gateway marks all that it passes on
    if passed or answer.headers.get("server", "").startswith(_SERVERS) or low == "internal server error":
        return "engine"
    if low == "404 page not found":  # of Go's own server, in which KubeAI's gateway runs
        return "gateway"
    if low.startswith(("{", "[")):  # JSON that broke off
        return "gateway" if _ERROR_TEXT.match(low) else "engine"
    if not low and not _PROXIES.search(answer.headers.get("server", "")):
        return "engine"
    return "login" if answer.status in _LOGIN_WANTED else "proxy"


def parsed(body: str | bytes) -> Any:
    """What a body in JSON holds; ``None`` where it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def words_in(body: Any, secrets: Sequence[str] = ()) -> str:
    """The sentence in an error body of any known shape, in a line and without its full stop; ``""`` where it has none.

    ``secrets`` are hidden, also where the sentence is cut.

    No HTML, no JSON, no list of Python's: where FastAPI lists what is wrong with a request, each field with its fault.

    >>> words_in('{"detail": [{"loc": ["body", "input", 0], "msg": "Input should be a valid string"}]}')
    'input.0: Input should be a valid string'
    """
    words = masked(_words(body, 0), secrets, limit=4 * LONGEST_WORDS)
    return one_line(words, LONGEST_WORDS).rstrip(" .:…").strip()


def _words(value: Any, depth: int) -> str:
    if depth > _DEEPEST:
        return ""
    if isinstance(value, Mapping):
        if "msg" in value and isinstance(value.get("loc"), Sequence):
            return _fault(value["loc"], value["msg"])
        texts = (_words(value[key], depth + 1) for key in _WORDS_AT if value.get(key))
        return next(filter(None, texts), "")
    if isinstance(value, list):
        return _listed([_words(item, depth + 1) for item in value[:100]])
    return _in_text(value, depth) if isinstance(value, str) else ""


def _listed(words: Sequence[str]) -> str:
    """Different words in a row; of many the first."""
    different = list(dict.fromkeys(filter(None, words)))
    more = f"; and {len(different) - _SHOWN_ITEMS} more" if len(different) > _SHOWN_ITEMS else ""
    return "; ".join(different[:_SHOWN_ITEMS]) + more


def _fault(location: Sequence[Any], message: Any) -> str:
    """What pydantic finds wrong with one field; its location names types beside fields."""
    names = [str(part) for part in location if str(part) not in _KEPT_BY_PYDANTIC and "[" not in str(part)]
    return f"{'.'.join(names)}: {message}" if names else str(message)


def _in_text(text: str, depth: int) -> str:
    """The sentence in a text, which may hold a page, a body within a body, or the stack of a program."""
    text = masked(text, limit=_LONGEST_BODY).strip()
    document = parsed(text)
    if isinstance(document, Mapping | list):
        return _words(document, depth + 1)
    faults = [_fault(_names_in(fault["loc"]), fault["msg"]) for fault in _PYDANTIC.finditer(text)]
    if faults:
        return _listed(faults)
    if "Traceback (most recent call last)" in text:
        return text.splitlines()[-1]
    data = text.encode(errors="replace")
    if text.startswith("<"):
        return page_of(data) if is_page(data) else markup_words(text)
    inner = _INNER.search(text)
    if "\x00" in text or not inner:
        return "" if "\x00" in text else text
    before, rest = text[: inner.start()].rstrip(" :-"), text[inner.start() :]
    words = _words(parsed(rest), depth + 1) or _without_brackets(rest)
    return ": ".join(filter(None, (before, words)))


def _without_brackets(text: str) -> str:
    """A short list in the words of a program; what is longer is data and no sentence."""
    return re.sub(r"[\[\]{}\"']", "", text) if len(text) < _SHORT_LIST else ""


def _names_in(location: str) -> list[str]:
    return [name.strip(" '\"") for name in location.split(",") if name.strip()]
