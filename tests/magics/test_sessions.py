"""Settings and the Sessions that magics use: a handle stays where it was made, and what is ours stays ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.errors import KubeAIError, UsageError
from tests.support.fake_api import PODS, pod, writes
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE = "--url ollama://smollm2:135m --min-replicas 0"


def test_never_deletes_on_the_cluster_that_was_chosen_later(clusters, kubeconfig, run) -> None:
    one, other = clusters
    run(f"%config KubeAI.kubeconfig = {kubeconfig(one.url, other.url)!r}\n%config KubeAI.context = 'a'")
    run("m = %kubeai_attach smol")
    run("%config KubeAI.context = 'b'")
    with pytest.raises(KubeAIError, match="is of a Session that is closed: the setting context was changed"):
        run("m.delete()")
    assert (writes(one), writes(other)) == ([], [])


def test_is_still_this_kernels_own_after_a_harmless_setting(here: Callable[[str], Any]) -> None:
    here(f"m = %kubeai_serve mine {IDLE}")
    here("%config KubeAI.wait_timeout_seconds = 77")
    assert here("m.session.settings.wait_timeout_seconds") == 77
    assert repr(here("%kubeai_delete mine")) == "Model('mine', Deleted)"


def test_is_this_kernels_own_by_the_name_of_its_namespace_too(here: Callable[[str], Any]) -> None:
    here(f"%kubeai_serve mine {IDLE}")
    assert repr(here("%kubeai_delete mine -n default")) == "Model('mine', Deleted)"


@pytest.mark.parametrize(
    ("line", "again"),
    [
        ("%kubeai_delete smol -n default --missing-ok --timeout 5m", ""),
        ("%kubeai_delete smol -n default;", "%kubeai_delete smol -n default --yes"),
        ("%kubeai scale smol 2 -n default --wait  # more", "%kubeai_scale smol 2 -n default --wait --yes"),
        ("%kubeai_restart --timeout 7m --namespace=default", ""),
        ("%kubeai_serve smol --min-replicas 0 -- --x=1", "%kubeai_serve smol --min-replicas 0 --yes -- --x=1"),
        ("%kubeai_serve smol --replicas 0 --env A_TOKEN=hushhush", "%kubeai_serve … --yes"),
    ],
)
def test_gives_back_the_very_line_with_a_yes(
    clusters: Any, kubeconfig: Any, run: Callable[[str], Any], line: str, again: str
) -> None:
    one, _ = clusters
    one.change(PODS, pod("smol-1", "smol"))
    run(f"%config KubeAI.kubeconfig = {kubeconfig(one.url)!r}\n%config KubeAI.context = 'a'")
    until(lambda: "smol-1" in one.objects[PODS], 5)
    with pytest.raises(UsageError) as raised:
        run(line)
    assert raised.value.hint == f"To do it all the same: {again or f'{line} --yes'}"
    assert writes(one) == []
