"""Faults that a Kubernetes API may have; `tests.support.faulty_api` plays them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from tests.support.faulty_api import Exchange

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v\w+(?:/namespaces/(?P<namespace>[^/]+)(?=/.))?"
    r"/(?P<plural>[^/?]+)(?:/(?P<name>[^/?]+)(?:/(?P<sub>[^/?]+)(?:/.*)?)?)?"
)
_VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


@dataclass(frozen=True)
class Request:
    """A request as Kubernetes' authorization sees it: ``list pods``, ``get pods/log``."""

    method: str
    path: str
    body: bytes
    at_seconds: float = field(default_factory=time.monotonic)

    @property
    def query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}

    @property
    def _parts(self) -> dict[str, str]:
        match = _PATH.fullmatch(urlsplit(self.path).path)
        return {key: value or "" for key, value in match.groupdict().items()} if match else {}

    @property
    def group(self) -> str:
        return self._parts.get("group", "")

    @property
    def resource(self) -> str:
        parts = self._parts
        return "/".join(part for part in (parts.get("plural", ""), parts.get("sub", "")) if part)

    @property
    def verb(self) -> str:
        if self.method != "GET":
            return _VERBS[self.method]
        if self.query.get("watch") == "true":
            return "watch"
        return "get" if self._parts.get("name") else "list"

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


Act = Callable[["Exchange"], None]


@dataclass
class Fault:
    """What becomes of the requests of one kind; ``*`` stands for any verb or resource."""

    act: Act
    verb: str = "*"
    resource: str = "*"
    times: int | None = None

    def meets(self, request: Request) -> bool:
        fits = self.verb in ("*", request.verb) and self.resource in ("*", request.resource)
        if not fits or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


def refuse(code: int, reason: str = "", message: str = "", **headers: str) -> Act:
    """Answer with a Status of this code, and do nothing."""

    def act(exchange: Exchange) -> None:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
        exchange.answer(code, {**body, "message": message or reason}, **headers)

    return act


def denied(verb: str, resource: str) -> Fault:
    """A right that is missing; the API also says so when it is asked what may be done."""
    plural = resource.partition("/")[0]
    message = (
        f'{plural} is forbidden: User "alice" cannot {verb} resource "{resource}" in API group "" '
        'in the namespace "default"'
    )
    return Fault(refuse(403, "Forbidden", message), verb, resource)


def quota_used_up(resource: str = "models") -> Fault:
    message = f'{resource} "m" is forbidden: exceeded quota: q, requested: count/{resource}=1, used: 1, limited: 1'
    return Fault(refuse(403, "Forbidden", message), "create", resource)


def busy(retry_after: str = "1", **of: Any) -> Fault:
    return Fault(refuse(429, "TooManyRequests", Retry_After=retry_after), **of)


def broken(code: int = 500, **of: Any) -> Fault:
    return Fault(refuse(code, "InternalError", "the server is not well"), **of)


def slow(seconds: float, **of: Any) -> Fault:
    def act(exchange: Exchange) -> None:
        exchange.api.stopped.wait(seconds)
        exchange.pass_on()

    return Fault(act, **of)


def silent(**of: Any) -> Fault:
    """The request is taken and never answered."""
    return Fault(lambda exchange: exchange.until_gone(), **of)


def cut_after(count: int, **of: Any) -> Fault:
    """The answer breaks off after so many bytes."""
    return Fault(lambda exchange: exchange.pass_on(count), **of)


def cut_before(**of: Any) -> Fault:
    """The connection breaks before the request gets anywhere, once."""
    return Fault(lambda exchange: exchange.cut(), **{"times": 1, **of})


def answer_lost(**of: Any) -> Fault:
    """The request is carried out, and its answer never arrives."""
    return Fault(lambda exchange: exchange.pass_on(0), **of)


def history_forgotten(**of: Any) -> Fault:
    """A watch learns that the version it goes on from is too old."""

    def act(exchange: Exchange) -> None:
        status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (2)"}
        exchange.answer(200, {"type": "ERROR", "object": status})

    return Fault(act, **{"verb": "watch", **of})
