"""What a verb would take away, in sentences, for every face that asks before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubeai_notebook.core.plan import Stake


def going(stake: Stake) -> str:
    """What goes with a Model, in sentences."""
    pods = f"With it {'goes' if stake.pods == 1 else 'go'} {counted(stake.pods, 'Pod')} on {stake.resource_profile}"
    requests = ", and requests that are being answered break off" if stake.ready else ""
    weights = f"; its weights leave the cache {stake.cache_profile}" if stake.cache_profile else ""
    return f"{pods}{requests}{weights}." if stake.pods or stake.cache_profile else "It has no Pods now."


def counted(number: int, what: str) -> str:
    """Such as ``2 Pods``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
