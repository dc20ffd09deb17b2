"""How the gateway is reached and with which credentials.

``cluster`` knows the way, ``calls`` goes it, and neither may import the other or its library: this value is what they
share.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .masking import masked_repr

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A base url, and what our own requests have to carry where they go with a login."""

    base_url: str
    """What users and their other programs are told; ends in ``/openai/v1``."""
    own_url: str = ""
    """Where our own requests go, with the login below; ``""``: to ``base_url``, without one."""
    proxied_by_api: bool = False
    """Whether this leads through the Kubernetes API, since no address of the gateway is known."""
    this_machine: bool = False
    """Whether the gateway is that of our own daemon, which the user may start."""
    ca_file: str | None = None
    client_certificate: tuple[str, str] | None = None
    """Certificate file, key file."""
    token: Callable[[], str | None] | None = None
    """Gives the whole header ``Authorization``; called for each request, so that a renewed login is honoured."""
    verify: bool = True
    server_name: str | None = None
    """The name that the server's certificate is checked against, where it is not the host's."""
    proxy: str | None = None
    renewed: Callable[[], Access] | None = field(default=None, compare=False, repr=False)
    """Gives the Access as it is now, for a gateway that may move; asked before each request."""

    __repr__ = masked_repr
