"""What needs ``--yes``, in a notebook's words.

A notebook asks nothing while a cell runs. What takes away Pods that are ready is done at once to Models that this
kernel created or served; to delete one, only to those that it created. `session.verbs` holds that guard for every
face; here the line that was refused says what it would do, and how to have it done.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kubeai_notebook.errors import NotYoursError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.plan import Stake


@contextmanager
def confirmed_by(line: str) -> Iterator[None]:
    """Word what the guard refuses; ``line`` is how to have it done.

    Raises:
        UsageError: a verb was refused for a Model that is not this kernel's.
    """
    try:
        yield
    except NotYoursError as error:
        stake: Stake = error.stake
        verb = "delete it" if stake.verb == "delete" else "do it"
        raise UsageError(_refusal(stake), f"To {verb}: {line}") from None


def going(stake: Stake) -> str:
    """What goes with a Model, in sentences."""
    pods = f"With it {'goes' if stake.pods == 1 else 'go'} {_counted(stake.pods, 'Pod')} on {stake.resource_profile}"
    requests = ", and requests that are being answered break off" if stake.ready else ""
    weights = f"; its weights leave the cache {stake.cache_profile}" if stake.cache_profile else ""
    return f"{pods}{requests}{weights}." if stake.pods or stake.cache_profile else "It has no Pods now."


def _refusal(stake: Stake) -> str:
    ready = f"{_counted(stake.ready, 'Pod')} that {'is' if stake.ready == 1 else 'are'} ready would be replaced"
    if stake.verb == "delete":
        return f"{stake.name} was not created by this kernel, so nothing was deleted. {going(stake)}"
    if stake.verb == "serve":
        changes = "\n".join(f"  {change}" for change in stake.diff)
        head = f"{stake.name} is there already, and this kernel has not served it. This would change:"
        return f"{head}\n{changes}\n{ready}, so nothing was changed."
    return f"This kernel has not served {stake.name}, so nothing was done: {ready}."


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
