"""Timing: how long what watches a cluster waits for what, and its clock, as one value.

An argument rather than constants of many modules: a test gives shorter times or another clock, and what is measured is
the code that runs in a kernel.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """All in seconds."""

    now: Callable[[], float] = time.time
    """Unix time."""

    watch: float = 240.0
    """How long one watch is asked for."""
    open: float = 10.0
    """The server answers a watch at once; only its events take time."""
    silence: float = 75.0
    """API servers send a bookmark once a minute: much longer silence than that is a dead link."""
    shortest_silence: float = 15.0
    """A server that sends bookmarks more often is missed sooner, but not sooner than this."""
    first_pause: float = 0.5
    longest_pause: float = 30.0
    longest_pause_at_first: float = 10.0
    """A server that restarts is back within minutes, and somebody waits for it."""
    at_first: float = 300.0
    longest_pause_here: float = 1.0
    """To ask the daemon of this machine costs nobody anything."""
    longest_pause_refused: float = 300.0
    """A right is granted, or a kind installed, once in a blue moon; a login is renewed within minutes."""
    lived: float = 10.0
    """A watch that lived so long was a good one, whatever ended it."""
    look: float = 1.0
    """How often a reflector that rests looks whether the server has moved."""

    heartbeat_silence: float = 15.0
    """A watch is silent while nothing happens, and a frozen server looks the same: after so long it is asked."""
    heartbeat_answer: float = 5.0

    log_fresh: float = 2.0
    """How long the log of a run that goes on is believed before it is followed: who looks once needs no stream."""
    log_glance: float = 30.0
    """How long it is believed where nobody looks at this Model in particular."""
    log_look: float = 5.0
    """How often it is seen whether the log of a Model that is well is due, while somebody looks at it closely."""
    log_pause: float = 2.0
    """Before an empty log of a run that is over is asked for again, and a stream that broke is begun anew."""
    log_refused: float = 60.0
    """Before a log that may not be read is asked for again: the right may have been granted meanwhile."""

    publish_pause: float = 0.05
    """The first change goes at once; what follows within this time goes together: at most 20 times a second."""
    tick: float = 1.0
    """How often a View that depends on the time is computed anew while somebody looks."""
    tick_share: float = 0.1
    """How much of one processor that takes at most: hundreds of failing Models are computed anew less often."""
    free_fresh: float = 60.0
    """All nodes and Pods of a cluster are many, and what is free on them is an estimate anyway."""
    installation_fresh: float = 300.0
    """A change of KubeAI's configuration restarts it, so it is rare; who made it looks at a Model afterwards."""
    installation_retry: float = 10.0
    installation_first: float = 5.0
    """How long the first View waits for KubeAI's configuration."""
