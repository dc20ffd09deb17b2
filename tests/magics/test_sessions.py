"""Settings and the Sessions that magics use: a handle stays where it was made, and what is ours stays ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.core.plan import Outcome
from kubeai_notebook.errors import KubeAIError, UsageError
from kubeai_notebook.session.model import Model
from kubeai_notebook.views.live import bundle
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


def test_keeps_its_handles_where_the_machine_it_works_on_is_named(daemon, run, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # without a kubeconfig
    run(f"m = %kubeai_serve mine {IDLE}")
    run("%kubeai_config context=local namespace=default")
    assert repr(run("m.delete()")) == "Model('mine', Deleted)"


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
    until(lambda: "smol-1" in one.objects[PODS])
    with pytest.raises(UsageError) as raised:
        run(line)
    assert raised.value.hint == f"To do it all the same: {again or f'{line} --yes'}"
    assert writes(one) == []


def test_names_the_namespace_in_the_commands_of_a_card_where_magics_look_elsewhere(
    clusters: Any, kubeconfig: Any, run: Callable[[str], Any]
) -> None:
    one, _ = clusters
    run(f"%config KubeAI.kubeconfig = {kubeconfig(one.url)!r}\n%config KubeAI.context = 'a'")
    told = Outcome(action="updated", name="smol", note="restart() does that.")
    run("%config KubeAI.namespace = 'other'")
    elsewhere = run("%kubeai_attach smol -n default").session
    assert "%kubeai_restart smol -n default does that." in text_of(Model(elsewhere, "smol", outcome=told))
    run("%config KubeAI.namespace = 'default'")
    here = run("%kubeai_attach smol").session
    assert "%kubeai_restart smol does that." in text_of(Model(here, "smol", outcome=told))


def text_of(model: Model) -> str:
    return str(bundle(model)["text/plain"])
