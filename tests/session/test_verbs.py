"""A Model's verbs, on the single-machine KubeAI."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.errors import CallError, DeployError, NotFoundError, SpecError, UsageError
from tests.support.daemon import SMOL, Daemon, processes_of
from tests.support.waiting import until

if TYPE_CHECKING:
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session

BROKEN = {**SMOL, "args": ["--max-model-len=999999"]}


@pytest.fixture
def smol(session: Session) -> Model:
    return session.serve(name="smol", **SMOL).wait(90)


def pods_of(model: Model) -> set[str]:
    return {pod["metadata"]["name"] for pod in model.view.observation.pods}


def test_says_what_serving_would_do_and_changes_nothing(session: Session) -> None:
    receipt = session.plan(name="later", **SMOL)
    assert receipt.title == "later would be created."
    assert receipt.refusal is None
    assert "url: ollama://smollm2:135m" in receipt.yaml
    assert session.publisher.names() == []


def test_refuses_before_sending_what_cannot_serve_here(session: Session) -> None:
    with pytest.raises(SpecError, match="Write cpu:1"):
        session.serve(name="typo", resource_profile="cpus:1", **SMOL)
    assert session.publisher.names() == []
    assert session.serve(name="typo", resource_profile="cpus:1", force=True, **SMOL).created


def test_does_not_refuse_for_what_was_missing_a_moment_ago(session: Session) -> None:
    asleep = {"name": "asleep", "min_replicas": 0, "secrets": ["made-later"], **SMOL}
    with pytest.raises(SpecError, match='no Secret "made-later"'):
        session.serve(**asleep)
    session.cluster.write_secret({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "made-later"}})
    assert session.serve(**asleep).created
    session.cluster.delete_secret("made-later")


def test_tells_the_change_and_whether_pods_restart(smol: Model) -> None:
    receipt = smol.session.plan(name="smol", args=["--max-model-len=512"], **SMOL)
    assert receipt.title == "smol would be changed; its Pods restart."
    assert receipt.plan.diff == "args: with --max-model-len=512"


def test_says_of_an_update_too_what_is_doubtful_about_what_it_changes(session: Session) -> None:
    asleep = {"name": "asleep", "min_replicas": 0, **SMOL}
    session.serve(**asleep)
    note = session.serve(**asleep, args=["--ctx-sise=512"]).note
    assert "Take care: args[0]: OLlama knows no argument --ctx-sise. Write --ctx-size, if that is meant." in note
    assert "Take care" not in session.serve(**asleep, args=["--ctx-sise=512"], max_replicas=2).note


def test_goes_back_to_the_spec_before(smol: Model) -> None:
    smol.session.serve(name="smol", args=["--max-model-len=512"], **SMOL)
    back = smol.rollback()
    assert smol.spec.args == ()
    assert back.note == "smol goes back: args: without --max-model-len=512."
    with pytest.raises(NotFoundError, match="no earlier spec"):
        smol.rollback()


def test_stops_waiting_for_an_update_that_cannot_come_while_the_old_pod_serves(smol: Model) -> None:
    smol.session.serve(name="smol", args=["--max-model-len=-5"], **SMOL)
    with pytest.raises(DeployError, match="smol is Degraded: "):
        smol.wait(60)
    assert smol.complete("The capital of France is", max_tokens=2)
    assert smol.rollback().wait(60).status.phase == "Ready"


def test_scales_up_and_stays_there(smol: Model) -> None:
    scaled = smol.scale(2)
    assert (scaled.outcome.action, scaled.outcome.diff) == ("scaled", ("minReplicas: 1 → 2", "replicas: 1 → 2"))
    smol.wait(60)
    assert (smol.status.ready, smol.spec.scaling.min_replicas) == (2, 2)


def test_says_in_a_sentence_what_is_wrong_with_a_call(session: Session) -> None:
    sleeper = session.serve(name="sleeper", min_replicas=0, **SMOL)
    with pytest.raises(UsageError, match=r"wait\(\) takes no argument timeout\. Did you mean timeout_seconds\?"):
        sleeper.wait(timeout=5)  # type: ignore[call-arg]  # that is the slip
    with pytest.raises(UsageError, match='scale.* takes replicas as a whole number, not the text "two"'):
        sleeper.scale("two")  # type: ignore[arg-type]  # that is the slip
    with pytest.raises(UsageError, match="attach.* takes name as a text, not None"):
        session.attach(None)  # type: ignore[arg-type]  # that is the slip
    with pytest.raises(SpecError, match='The field "scaling.replicas" must be a whole number'):
        session.serve(name="sleeper", replicas="two", **SMOL)  # type: ignore[arg-type]  # that is the slip
    assert session.publisher.names() == ["sleeper"]


def test_says_what_is_more_than_this_machine_holds(session: Session) -> None:
    sleeper = session.serve(name="sleeper", min_replicas=0, **SMOL)
    with pytest.raises(SpecError, match="100000 engines, and this machine has"):
        sleeper.scale(100_000)
    with pytest.raises(SpecError, match="100000 engines, and this machine has"):
        session.serve(name="crowd", replicas=100_000, **SMOL)
    assert session.publisher.names() == ["sleeper"]


def test_names_the_model_that_was_meant(smol: Model) -> None:
    with pytest.raises(
        NotFoundError, match='There is no Model "smal" in namespace "default" on this machine'
    ) as raised:
        smol.session.attach("smal")
    assert raised.value.hint == 'Did you mean "smol"?'


def test_pauses_and_resumes(smol: Model) -> None:
    smol.pause().wait(30)
    assert smol.status.phase == "Paused"
    assert smol.status.acts_next == "you"
    assert "no request wakes it" in smol.status.detail
    with pytest.raises(CallError, match="a request would wait for ever"):
        smol.complete("Hi")
    assert smol.resume().wait(60).status.phase == "Ready"
    assert smol.spec.scaling.autoscaling_disabled is False


def test_has_nothing_to_do_where_the_model_is_so_already(session: Session) -> None:
    sleeper = session.serve(name="sleeper", min_replicas=0, **SMOL)
    sleeper.scale(0)

    def undone(model: Model) -> str:
        assert model.outcome is not None
        assert (model.outcome.action, model.outcome.diff) == ("nothing", ())
        return model.note

    generation = sleeper.view.model["metadata"]["generation"]
    assert undone(sleeper.scale(0)) == "sleeper is scaled to 0 already; nothing was changed."
    assert "was not paused" in undone(sleeper.resume())
    assert sleeper.view.model["metadata"]["generation"] == generation
    assert sleeper.pause().note == "sleeper is paused."
    assert undone(sleeper.pause()).startswith("sleeper is paused already; nothing was changed.")
    assert sleeper.resume().note == "sleeper is resumed."
    assert "was not paused" in undone(sleeper.resume())


def test_says_what_starts_a_model_that_has_no_replicas_any_more(session: Session) -> None:
    fields = {**SMOL, "url": "ollama://no-such-model"}
    sleeper = session.serve(name="sleeper", min_replicas=1, force=True, **fields)
    assert sleeper.scale(0).note == (
        "sleeper is scaled to 0. Now a request, or scale(1), starts it again. So does KubeAI at first, where requests"
        " came a few minutes ago; pause() keeps it off."
    )
    sleeper.pause()
    session.cluster.patch_model("sleeper", {"spec": {"replicas": 1}})
    assert sleeper.scale(0).note == "sleeper is scaled to 0. Now resume() starts it again."
    fixed = session.serve(name="fixed", autoscaling_disabled=True, replicas=1, force=True, **fields)
    assert fixed.scale(0).note == "fixed is scaled to 0. Now scale(1) starts it again."
    note = fixed.restart().note
    assert note == "fixed had no Pods to restart: scale(1) starts it anew. Nothing was restarted."


def test_ends_a_pause_by_a_number_of_replicas(session: Session) -> None:
    sleeper = session.serve(name="sleeper", min_replicas=0, **SMOL).pause()
    assert sleeper.scale(1).note == "sleeper is scaled to 1. It was paused, and is resumed."
    assert sleeper.pause().note == "sleeper is paused."
    assert sleeper.resume().spec.scaling.min_replicas == 1


def test_ends_a_pause_by_going_back(session: Session) -> None:
    session.serve(name="sleeper", min_replicas=0, **SMOL)
    sleeper = session.serve(name="sleeper", min_replicas=0, args=["--a"], **SMOL).pause()
    assert sleeper.rollback().note.endswith(" It was paused, and is resumed.")
    assert sleeper.pause().note == "sleeper is paused."


def test_restarts_with_another_pod(smol: Model) -> None:
    before = pods_of(smol)
    assert smol.restart(60).wait(60).note == "1 Pod is replaced."
    assert not before & pods_of(smol)


def test_restarts_nothing_that_is_paused_or_sleeps(session: Session) -> None:
    sleeper = session.serve(name="sleeper", min_replicas=0, **SMOL)
    idle = sleeper.restart().note
    assert idle.startswith("sleeper had no Pods to restart: a request, or scale(1), starts it anew.")
    note = sleeper.pause().restart().note
    assert note == "sleeper is paused: resume() starts it anew. Nothing was restarted."


def test_reads_the_engines_log_and_the_events(smol: Model) -> None:
    log = smol.logs(tail_lines=500)
    assert log
    assert log.pod in pods_of(smol)
    assert {"Scheduled", "Started"} <= set(smol.events()["reason"])


def test_has_no_log_without_a_pod(session: Session) -> None:
    asleep = session.serve(name="asleep", min_replicas=0, **SMOL)
    with pytest.raises(NotFoundError, match="asleep has no Pod"):
        asleep.logs()


def test_deletes_what_it_created_and_nothing_else(session: Session) -> None:
    with session.serve(name="short", min_replicas=0, **SMOL) as made:
        assert made.created
        with session.serve(name="short", min_replicas=0, **SMOL) as found:
            assert not found.created
        assert session.names() == ["short"]
    assert session.names() == []


def test_reports_without_secrets(session: Session) -> None:
    env = {"MY_PASSWORD": "hush-hush", "PLAIN": "visible"}
    files = [{"path": "/etc/private", "content": "top-hush"}]
    text = session.serve(name="told", min_replicas=0, env=env, files=files, **SMOL).report()
    assert text.startswith("# told: ")
    assert "visible" in text
    assert "hush" not in text


def test_has_no_fix_for_what_is_well(smol: Model) -> None:
    with pytest.raises(UsageError, match="Nothing is wrong with it"):
        smol.fix()


def test_lists_all_models_in_a_table_that_reads_well(smol: Model) -> None:
    table = smol.session.models()
    assert list(table["name"]) == ["smol"]
    assert table["gpus"].tolist() == [0]
    assert "Ready" in repr(table)
    assert "<th></th>" not in table._repr_html_()


def test_says_when_there_is_nothing_to_list(session: Session) -> None:
    assert repr(session.models()) == 'There are no Models in namespace "default" on this machine.'


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on PATH")
def test_gives_commands_that_reach_this_cluster_from_any_terminal(session: Session) -> None:
    model = session.serve(name="aborts", wait=True, **SMOL)
    here = Daemon(Path(os.environ["KUBEAI_LOCAL_HOME"]))

    def commands() -> list[str]:
        for pid in {*processes_of(here.home)} - {here.status()["pid"]}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGABRT)  # nothing in its log tells why
        return [fix.command.line for fix in model.why().remedies if fix.command and "logs" in fix.command.arguments]

    [command] = until(commands, 30)
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "answers here" in done.stdout, done.stderr
