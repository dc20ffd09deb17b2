"""Whether an answer is one of a Kubernetes API, and reading it within bounds.

Between here and the API stand wifi portals, login pages, proxies and load balancers; and on a port that
was the API's yesterday listens somebody else today. What they answer is told as theirs: never taken for an
object, never for "done", and never read without end.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import urllib3

from kubeai_notebook.core.foreign import described
from kubeai_notebook.core.whereabouts import OFFER
from kubeai_notebook.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 256 << 20
_PIECE_BYTES = 64 << 10


class NoApiError(ClusterError):
    """What answered is no Kubernetes API."""


def no_api(address: str, what: str) -> NoApiError:
    """``what`` says what answered instead, as the end of a sentence."""
    return NoApiError(
        f"Something that is no Kubernetes API answers at {address}: {what}.",
        f"Check the network (a login page of a wifi, a proxy) and the server in the kubeconfig. {OFFER}",
    )


def read_whole(answer: urllib3.BaseHTTPResponse, *, most: int, seconds: float) -> tuple[bytes, bool]:
    """The body's first ``most`` bytes, and whether there is more.

    Raises:
        urllib3.exceptions.ReadTimeoutError: it is not whole after ``seconds``.
        urllib3.exceptions.HTTPError: it broke off.
    """
    pieces, size, until = [], 0, time.monotonic() + seconds
    while piece := answer.read1(_PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            return b"".join(pieces)[:most], True
        if time.monotonic() > until:
            raise urllib3.exceptions.ReadTimeoutError(None, None, "the answer does not end")  # type: ignore[arg-type]  # no pool is at hand
    return b"".join(pieces), False


def object_of(data: bytes, host: str) -> dict[str, Any]:
    """The JSON object that an answer holds.

    Raises:
        ClusterError: it holds none.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise no_api(host, f"it sends {described(data)}") from None
    if not isinstance(document, dict):
        raise no_api(host, "its JSON is no object")
    return document


def named(document: Mapping[str, Any], host: str) -> dict[str, Any]:
    """The same, where it is an object of Kubernetes with a name.

    Raises:
        ClusterError: it is none.
    """
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise no_api(host, "it sends an object without a name")
    return dict(document)


def items_of(page: Mapping[str, Any], host: str) -> list[dict[str, Any]]:
    """The objects of a list.

    Raises:
        ClusterError: it is no list of Kubernetes.
    """
    items = page.get("items")
    if not isinstance(page.get("metadata"), dict) or not isinstance(items, list | None) or "items" not in page:
        raise no_api(host, "it sends a list without items")
    if not all(isinstance(item, dict) for item in items or ()):
        raise no_api(host, "it sends a list of something else than objects")
    return [named(item, host) for item in items or ()]
