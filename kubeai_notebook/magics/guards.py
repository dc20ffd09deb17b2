"""What is done at once, and what needs ``--yes``.

A notebook asks nothing while a cell runs. What takes away Pods that are ready is done at once to Models that this
kernel created or served; to delete one, only to those that it created. Otherwise the line says what it would do,
does nothing, and stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import map_at, uid_of
from kubeai_notebook.errors import ForbiddenError, UsageError

if TYPE_CHECKING:
    from kubeai_notebook.core.spec import ModelSpec
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session


def check_update(session: Session, *, spec: ModelSpec, line: str) -> None:
    """Refuse to replace the ready Pods of a Model that this kernel has not served.

    Raises:
        UsageError: it would, and ``line`` is how to have it done.
    """
    try:
        if spec.name not in session.observer.names():
            return
    except ForbiddenError:
        return  # whoever may not look may still create
    model = session.attach(spec.name)
    if _own(model) or not model.status.ready:
        return
    plan = session.plan(spec).plan
    if plan.action == "update" and plan.restarts:
        changes = "\n".join(f"  {change}" for change in plan.diff.splitlines())
        message = f"{spec.name} is there already, and this kernel has not served it. This would change:\n{changes}\n"
        raise UsageError(f"{message}{_pods(model)} would be replaced, so nothing was changed.", f"To do it: {line}")


def check_restart(model: Model, line: str) -> None:
    """Refuse to replace the ready Pods of a Model that this kernel has not served.

    Raises:
        UsageError: as `check_update`.
    """
    if model.status.ready and not _own(model):
        message = f"This kernel has not served {model.name}, so nothing was done: {_pods(model)} would be replaced."
        raise UsageError(message, f"To do it: {line}")


def check_delete(model: Model, line: str) -> None:
    """Refuse to delete a Model that this kernel has not created.

    Raises:
        UsageError: it has not; the error names what would go.
    """
    if _own(model) != "created":
        message = f"{model.name} was not created by this kernel, so nothing was deleted. {going(model)}"
        raise UsageError(message, f"To delete it: {line}")


def going(model: Model) -> str:
    """What goes with a Model, in sentences."""
    spec, pods = map_at(model.view.model, "spec"), len(model.view.observation.pods)
    said = [f"With it {'goes' if pods == 1 else 'go'} {_counted(pods, 'Pod')} on {spec.get('resourceProfile', 'cpu')}"]
    if model.status.ready:
        said.append(", and requests that are being answered break off")
    if spec.get("cacheProfile"):
        said.append(f"; its weights leave the cache {spec['cacheProfile']}")
    return "".join(said) + "." if pods or spec.get("cacheProfile") else "It has no Pods now."


def _pods(model: Model) -> str:
    return f"{_counted(model.status.ready, 'Pod')} that {'is' if model.status.ready == 1 else 'are'} ready"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _own(model: Model) -> str:
    """Whether this kernel created or served the Model, by a magic or from Python."""
    return model.session.own.get(uid_of(model.view.model), "")
