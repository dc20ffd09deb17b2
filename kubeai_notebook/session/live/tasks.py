"""Tasks: what is asked about a Model behind its View, so that making a View asks nothing and waits for nothing.

Logs, the test request, the dry run of a Pod, KubeAI's installation and the heartbeat: each is asked in the Pool when
somebody looks, the answer is kept here, and the publisher hears that the View is to be made anew. What was asked about
a Model is forgotten when the Model goes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kubeai_notebook.cluster.logs import Logs
from kubeai_notebook.cluster.rights import right_to
from kubeai_notebook.core.objects import uid_of

from .free_units import FreeUnits
from .heartbeat import Heartbeat
from .informers import EVERYTHING, Touch
from .installation_cache import Installation
from .log_sources import runs_of
from .pod_dry_run import PodDryRuns
from .pool import Pool
from .readiness_probe import ReadinessProbes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kubeai_notebook.calls.endpoint import Endpoint
    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.cluster.logs import Run
    from kubeai_notebook.cluster.timing import Timing
    from kubeai_notebook.core.objects import KubernetesObject
    from kubeai_notebook.core.observation import HttpAnswer, LogTail, Operator
    from kubeai_notebook.core.view import View

    from .informers import Informers

Objects = tuple["KubernetesObject", ...]


class Tasks:
    """Asks, and keeps the answers. ``touch`` hears of answers, ``on_line`` of a Model whose log has a new line."""

    def __init__(
        self,
        cluster: Cluster,
        watches: Informers,
        *,
        touch: Callable[[Touch], None],
        on_line: Callable[[str], None],
        endpoint: Callable[[], Endpoint],
        timing: Timing,
    ) -> None:
        def on_change(name: str) -> None:
            touch(Touch("model", name))

        self._watches, self._pool = watches, Pool()
        self._logs = Logs(cluster, on_read=on_change, on_line=on_line, timing=timing)
        self._probes = ReadinessProbes(endpoint, on_change, self._pool)
        self._dry_runs = PodDryRuns(cluster, on_change, self._pool)
        self._free = FreeUnits(cluster, on_change, pool=self._pool, timing=timing)
        self._heartbeat = Heartbeat(cluster, watches, pool=self._pool, timing=timing)
        self.installation = Installation(cluster, lambda: touch(EVERYTHING), pool=self._pool, timing=timing)

    # What is known: reading it asks nothing.

    @property
    def operator(self) -> Operator:
        """The KubeAI installation."""
        return self.installation.known

    @property
    def free(self) -> Mapping[str, int] | None:
        """Units of each resource profile that one node could take, where that was asked."""
        return self._free.known

    def answer(self, model: KubernetesObject, pods: Objects) -> HttpAnswer | None:
        """What the Model answered to the test request."""
        return self._probes.of(model, pods)

    def refusal(self, model: KubernetesObject) -> str | None:
        """What the API server has against the Model's Pod."""
        return self._dry_runs.of(model)

    def logs(self, model: KubernetesObject, pods: Objects) -> Iterator[LogTail]:
        """The ends of the Model's logs, as far as they were read."""
        for run in runs_of(model, pods):
            tail = self._logs.tail(run)
            if tail is not None:
                yield tail

    def notes(self, runs: tuple[Run, ...]) -> Iterator[str]:
        """What cannot be seen for want of a right."""
        if self._logs.refused(runs):
            yield right_to("get", "pods/log").note
        if self.operator.namespace and self.operator.config is None:
            yield right_to("get", "configmaps").note

    def pending(self, model: KubernetesObject, pods: Objects) -> bool:
        """Whether something that was asked about the Model is still to come; the test request may take long."""
        uid = uid_of(model)
        asked = (
            self._dry_runs.pending(uid) or self._free.pending(uid) or any(map(self._logs.pending, runs_of(model, pods)))
        )
        return asked or self._watches.pending(model)

    # What is asked.

    def look(self, view: View, *, closely: bool) -> bool:
        """Somebody looks: ask what is due. ``closely``: at this Model rather than at all, so it is worth more.

        Gives whether something was asked that this View does not have; the answer may be there already.
        """
        self.installation.look()
        asked = self._watches.want(view.model)
        pods, secrets = view.observation.pods, view.observation.secrets
        runs, telling = runs_of(view.model, pods), runs_of(view.model, pods, at_requests=False)
        self._logs.forget(view.name, but=runs)
        for run in runs if closely else telling:
            if self._logs.ask(run, secrets=secrets, follow=closely and run in telling):
                asked |= self._logs.pending(run)
                self._pool.submit("log", view.uid, partial(self._logs.read, run, secrets=secrets))
        if closely:
            asked |= self._dry_runs.look(view)
            asked |= self._free.look(view)
        return asked

    def look_away(self, name: str) -> None:
        """Nobody looks closely at this Model any more."""
        self._logs.unfollow(name)

    def expect(self, uid: str) -> None:
        """Note that this client serves the Model, so that it sends the test request."""
        self._probes.expect(uid)

    def test(self, view: View) -> None:
        """Send the test request where it is due."""
        self._probes.look(view)

    def feel(self) -> None:
        """Somebody waits for a change: see that the API lives, where the watches are silent."""
        self._heartbeat.look()

    def forget(self, name: str, uid: str) -> None:
        """The Model is gone."""
        self._logs.forget(name)
        self._probes.forget(uid)
        self._dry_runs.forget(uid)

    def close(self) -> None:
        """End all of it; what goes by the Cluster's own connections ends with these."""
        for part in (self._logs, self._probes, self._heartbeat, self.installation, self._pool):
            part.close()
