"""Whereabouts: which cluster and namespace something is in, in words that its reader has chosen.

A notebook shows and changes Models of the cluster that a kubeconfig leads to. With the VPN off, or after a colleague
has switched the current context, that is another one, and nothing but its name tells them apart. So every card, table
and refusal names it, and this is the one place that writes the words: the context's name where there is one, since
that is what people call a cluster; its host otherwise; "this machine" for our own daemon.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from kubeai_notebook.text import one_line

from .masking import masked, masked_repr

_SHOWN: Final = 200
THIS_MACHINE: Final = "this machine"
OFFER: Final = 'To work on this machine instead: kubeai_notebook.Session(context="local").'
"""The way out where a configured cluster cannot be used; each face words the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """A cluster, how it was found, and a namespace of it; ``""`` where that is not known."""

    server: str = ""
    """The API server's base url."""
    context: str = ""
    kubeconfig: str = ""
    """The path, or several joined as in ``$KUBECONFIG``."""
    this_machine: bool = False
    namespace: str = ""

    __repr__ = masked_repr

    @property
    def cluster(self) -> str:
        """What the cluster is called.

        >>> Whereabouts(server="https://10.0.0.1:6443").cluster
        '10.0.0.1'
        """
        if self.this_machine:
            return THIS_MACHINE
        return one_line(self.context, _SHOWN) or _host_of(self.server) or "this cluster"

    @property
    def address(self) -> str:
        """The server, and by which entry of which file it was chosen.

        >>> Whereabouts(server="https://10.0.0.1:6443", context="prod", kubeconfig="/k").address
        'https://10.0.0.1:6443 (context "prod" of the kubeconfig /k)'
        """
        server = masked(self.server)
        if self.this_machine:
            return f"{server} ({THIS_MACHINE})"
        if not self.context:
            return server
        context, path = one_line(self.context, _SHOWN), one_line(self.kubeconfig, _SHOWN)
        return f'{server} (context "{context}" of the kubeconfig {path})'

    @property
    def api(self) -> str:
        """The API server as the subject of a sentence."""
        return f"The Kubernetes API at {self.address}" if self.server else "The Kubernetes API"

    @property
    def phrase(self) -> str:
        """Where something is, as a part of a sentence.

        >>> Whereabouts(context="prod", namespace="team").phrase
        'in namespace "team" on prod'
        """
        namespace = one_line(self.namespace, _SHOWN)
        return f'in namespace "{namespace}" on {self.cluster}' if namespace else f"on {self.cluster}"

    @property
    def mark(self) -> str:
        """The same for one place only, for programs: labels of two clusters may be equal.

        >>> Whereabouts(server="https://a", namespace="x").mark == Whereabouts(server="https://b", namespace="x").mark
        False
        """
        # Our own daemon has another port after each start.
        server = THIS_MACHINE if self.this_machine else self.server
        parts = (server, self.context, self.kubeconfig, self.namespace)
        return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:16]

    def __str__(self) -> str:
        """A label that reads well behind a Model's name. One's own machine has but one namespace, which says nothing.

        >>> str(Whereabouts(context="prod", namespace="team"))
        'in team on prod'
        >>> str(Whereabouts(this_machine=True, namespace="default"))
        'on this machine'
        """
        namespace = "" if self.this_machine and self.namespace == "default" else one_line(self.namespace, _SHOWN)
        return f"in {namespace} on {self.cluster}" if namespace else f"on {self.cluster}"


def _host_of(server: str) -> str:
    try:
        return one_line(urlsplit(server).hostname or "", _SHOWN)
    except ValueError:
        return ""
