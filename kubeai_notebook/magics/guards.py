"""What needs ``--yes``, in a notebook's words.

A notebook asks nothing while a cell runs. What its user served is changed at once, whichever kernel did that; what
somebody else served is not. `session.guard` holds that guard for every face; here the line that was refused says what
it would do, and how to have it done.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kubeai_notebook.errors import NotYoursError, UsageError
from kubeai_notebook.present.stake import counted, going

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.plan import Stake

    from .invocation import Invocation


@contextmanager
def confirmed(call: Invocation) -> Iterator[None]:
    """Word what the guard refuses, with the line that has it done.

    Raises:
        UsageError: a verb was refused for a Model that somebody else served.
    """
    try:
        yield
    except NotYoursError as error:
        stake: Stake | None = error.stake
        line = call.again("--yes", without=error.done)
        would = _would(stake) if stake else ""
        raise UsageError(f"{error.message} {would}".rstrip(), f"To do it all the same: {line}") from None


def _would(stake: Stake) -> str:
    """What the verb would take away, in sentences."""
    if stake.verb == "delete":
        return going(stake)
    ready = f"{counted(stake.ready, 'Pod')} that {'is' if stake.ready == 1 else 'are'} ready would be replaced."
    changes = "".join(f"\n  {change}" for change in stake.diff)
    return f"{'This would change:' if changes else ''}{changes}\n{ready if stake.ready else ''}".strip()
