"""Proposals: what an agent wants changed, shown first and written only when it is confirmed by its id.

An agent acts on texts that may be somebody else's. So no tool that says what to change writes, and the one that writes
takes nothing but an id: whoever watches the agent sees the diff between the two calls. A proposal is for the Model as
it was shown (its ``resourceVersion``); where somebody else has changed it since, nothing is written.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeai_notebook.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.core.plan import Outcome

VALID_SECONDS = 300.0
MOST = 100


@dataclass(frozen=True, slots=True)
class _Proposal:
    write: Callable[[], Outcome]
    until: float


class Proposals:
    """Those of one process; each is written once at most."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._kept: dict[str, _Proposal] = {}

    def add(self, write: Callable[[], Outcome]) -> str:
        """The id under which this may be written, for five minutes; of many, the newest are kept."""
        proposal_id = secrets.token_hex(8)
        with self._lock:
            self._kept[proposal_id] = _Proposal(write, self._clock() + VALID_SECONDS)
            while len(self._kept) > MOST:
                del self._kept[next(iter(self._kept))]
        return proposal_id

    def write(self, proposal_id: str) -> Outcome:
        """Do what was proposed.

        Raises:
            UsageError: there is no such proposal any more.
            ConflictError: the Model was changed since it was shown.
        """
        with self._lock:
            proposal = self._kept.pop(proposal_id, None)
        if proposal is None or proposal.until < self._clock():
            message = "There is no such proposal, or it is older than five minutes. Nothing was changed."
            raise UsageError(message, "Propose the change again.")
        return proposal.write()
