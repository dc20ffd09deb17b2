"""The magics on the single-machine KubeAI, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.errors import KubeAIError, NotFoundError, SpecError, UnreachableError, UsageError
from kubeai_notebook.local.emulation.reviews import USER
from kubeai_notebook.present.card import card_of
from kubeai_notebook.session.session import Session, close_defaults
from tests.support.daemon import give

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

URL = "ollama://smollm2:135m"
IDLE = f"--url {URL} --min-replicas 0"


@pytest.fixture
def elsewhere(daemon: str) -> Iterator[Session]:
    """Another kernel's Session."""
    session = Session(context="local")
    yield session
    session.close()


def test_serves_waits_and_keeps_the_handle(here: Callable[[str], Any]) -> None:
    model = here(f"%kubeai_serve {URL} --name smol --wait -o kept")
    assert (model.name, model.status.phase, model.created) == ("smol", "Ready", True)
    assert here("kept") is model
    assert here("%kubeai_status") is not None
    assert here("df = %kubeai_models\nlist(df.name)") == ["smol"]
    assert "is Ready, and nothing is wrong with it" in repr(here("%kubeai_why"))
    assert here("%kubeai_logs --tail 3").count("\n") == 3
    assert "Model('smol', Ready 2/2" in repr(here("%kubeai_scale smol 2 --wait"))
    assert here("%kubeai_restart smol").note == "2 Pods are replaced."
    assert "With it go 2 Pods on cpu:1, and requests" in repr(here("%kubeai_delete smol --dry-run"))
    assert repr(here("%kubeai_delete smol")) == "Model('smol', Deleted)"


def test_says_what_it_would_do_and_does_nothing(here: Callable[[str], Any]) -> None:
    receipt = here(f"%kubeai_serve later {IDLE} --dry-run")
    assert receipt.title == "later would be created."
    assert here("%kubeai_models").empty


def test_says_how_a_line_takes_a_token(here: Callable[[str], Any]) -> None:
    plan = str(here("%kubeai_serve big hf://meta-llama/Llama-3.1-70B --dry-run"))
    assert "--secret HF_TOKEN=ask" in plan
    assert "SecretStr" not in plan


def test_follows_until_it_is_settled(here: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    here(f"%kubeai_serve smol --url {URL};")
    assert here("%kubeai_status smol --follow -o m") is None
    assert "✓ smol (on this machine) Ready" in capsys.readouterr().out
    assert here("m").status.phase == "Ready"


def test_tells_beside_ready_which_arguments_the_engine_ignores(here: Callable[[str], Any]) -> None:
    model = here(f"%kubeai_serve {URL} --name smol --wait -- --bogus-arg")
    assert model.status.phase == "Ready"
    assert "ignores --bogus-arg: it has no such argument." in repr(here("%kubeai_why smol"))
    assert "ignores --bogus-arg: it has no such argument." in repr(model.why())
    card = card_of(model.view, namespace="default")
    assert (card.tone, card.findings) == ("good", ())
    assert "ignores --bogus-arg" in card.note


def test_explains_shows_and_applies_a_fix(here: Callable[[str], Any]) -> None:
    here(f"%kubeai_serve bad --url {URL} -- --max-model-len=999999\n%kubeai_status bad --follow -q")
    why = here("%kubeai_why bad")
    assert why.remedies
    assert "%kubeai_why bad --fix 1" in repr(why)
    said = repr(here("%kubeai_why bad --fix 1 --dry-run"))
    assert "Its Pods are replaced." in said
    assert "To do it: %kubeai_why bad --fix 1" in said
    with pytest.raises(UsageError) as raised:
        here("%kubeai_why bad --fix 9")
    assert raised.value.hint == "%kubeai_why bad shows the 2 that there are."
    model = here("%kubeai_why bad --fix 1")
    assert model.note.startswith("Fix 1 is applied: ")
    assert "%kubeai_rollback bad takes it back." in model.note
    with pytest.raises(UsageError, match="bad has no fix 9"):
        here("%kubeai_why bad --fix 9")


def test_applies_no_other_fix_than_its_reader_saw(here: Callable[[str], Any]) -> None:
    line = f"%kubeai_serve odd --url {URL} --force --profile"
    here(f"{line} cpus;\n%kubeai_why odd -q")
    here(f"{line} cpuz:2;")
    with pytest.raises(UsageError, match="has changed since it was shown. Fix 1 is now: .*cpu:2"):
        here("%kubeai_why odd --fix 1")
    assert here("%kubeai_why odd --fix 1").spec.resource_profile == "cpu:2"


def test_names_magics_in_the_errors_of_a_magic(here: Callable[[str], Any]) -> None:
    with pytest.raises(NotFoundError) as raised:
        here("%kubeai_status nobody-here")
    assert raised.value.hint == "%kubeai_models lists what is there."
    assert raised.value._render_traceback_()[-1] == raised.value.hint
    with pytest.raises(NotFoundError) as raised:
        here("import kubeai_notebook\nkubeai_notebook.attach('nobody-here')")
    assert raised.value.hint == "models() lists what is there."


def test_lays_the_cells_yaml_over_the_line(here: Callable[[str], Any]) -> None:
    here("n = 3")
    model = here(f"%%kubeai_serve asleep {IDLE}\nenv: {{A: '{{{{n}}}}'}}\nmax_replicas: {{{{n}}}}")
    assert (model.spec.env, model.spec.scaling.max_replicas) == ({"A": "3"}, 3)


def test_expands_variables_in_a_line(here: Callable[[str], Any]) -> None:
    here("name, url = 'asleep', 'ollama://smollm2:135m'")
    line = "%kubeai_serve {name} --url $url --min-replicas 0 -- --limit-mm-per-prompt='{\"image\":2}'"
    assert here(line).spec.args == ('--limit-mm-per-prompt={"image":2}',)
    here("def scaled(count):\n    return get_ipython().run_line_magic('kubeai', 'scale {name} {count}')")
    assert here("scaled(0)").name == "asleep"


def test_applies_several_models(here: Callable[[str], Any]) -> None:
    body = f"# two\nname: one\nurl: {URL}\nmin_replicas: 0\n---\n"
    whole = here(f"%%kubeai_apply\n{body}name: two\nurl: {URL}\nmin_replicas: 0\n")
    assert [model.name for model in whole] == ["one", "two"]
    text = here("text = %kubeai_yaml one\ntext")
    assert "kind: Model" in repr(text)
    receipt = here("%%kubeai_apply --dry-run\n" + text)
    assert receipt.title == "one is served already; nothing would change."


def test_sends_nothing_where_one_of_several_is_wrong(here: Callable[[str], Any]) -> None:
    with pytest.raises(SpecError, match="There is no engine"):
        here(f"%%kubeai_apply\nname: one\nurl: {URL}\n---\nname: two\nurl: {URL}\nengine: nope\n")
    assert here("%kubeai_models").empty


def test_says_what_was_served_before_one_that_is_refused(
    here: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SpecError):
        here(f"%%kubeai_apply\nname: one\nurl: {URL}\nmin_replicas: 0\n---\nname: two\nurl: {URL}\nprofile: none:1")
    assert "Served before the error: one.\n" in capsys.readouterr().out
    assert list(here("%kubeai_models")["name"]) == ["one"]


def test_asks_before_it_deletes_what_others_served(here: Callable[[str], Any], elsewhere: Session) -> None:
    elsewhere.serve(name="theirs", url=URL, min_replicas=0)
    give(elsewhere, "theirs", "bob")
    with pytest.raises(UsageError) as raised:
        here("%kubeai_delete theirs")
    said = f"theirs was served by bob, and you are {USER}: it was not deleted. It has no Pods now."
    assert str(raised.value) == f"{said} To do it all the same: %kubeai_delete theirs --yes"
    assert repr(here("%kubeai_delete theirs --yes")) == "Model('theirs', Deleted)"


def test_asks_before_it_replaces_ready_pods_of_others(here: Callable[[str], Any], elsewhere: Session) -> None:
    elsewhere.serve(name="theirs", url=URL).wait(60)
    give(elsewhere, "theirs", None)
    line = f"%kubeai_serve theirs --url {URL} --arg=--max-model-len=512"
    with pytest.raises(UsageError, match="theirs was not served with kubeai_notebook") as raised:
        here(line)
    assert "  args: with --max-model-len=512\n1 Pod that is ready would be replaced" in str(raised.value)
    with pytest.raises(UsageError, match="nothing was changed. 1 Pod that is ready would be replaced"):
        here("%kubeai_restart theirs")
    with pytest.raises(UsageError, match="To do it all the same: %kubeai_scale theirs 0 --yes"):
        here("%kubeai_scale theirs 0")
    assert here(f"{line} --dry-run").plan.restarts
    assert "is updated" in here(f"{line} --yes").note
    # From now on it is the user's.
    assert "is updated" in here(f"%kubeai_serve theirs --url {URL} --wait").note


def test_deletes_several_and_tells_each(here: Callable[[str], Any], elsewhere: Session) -> None:
    for name in ("one", "two", "three", "theirs"):
        elsewhere.serve(name=name, url=URL, min_replicas=0)
    give(elsewhere, "theirs", "bob")
    with pytest.raises(KubeAIError) as raised:
        here("%kubeai_delete one tow theirs three")
    assert raised.value.message == (
        f'There is no Model "tow". theirs was served by bob, and you are {USER}: it was not deleted. '
        "Deleted: one, three."
    )
    assert (
        raised.value.hint
        == 'Did you mean "two"? --missing-ok passes over what is not there. --yes does it all the same.'
    )
    assert repr(here("%kubeai_delete two theirs two gone --yes --missing-ok")) == (
        'two is deleted.\ntheirs is deleted.\nThere is no Model "gone".'
    )


def test_asks_for_those_alone_that_are_left(here: Callable[[str], Any], elsewhere: Session) -> None:
    for name in ("mine", "theirs"):
        elsewhere.serve(name=name, url=URL, min_replicas=0)
    give(elsewhere, "theirs", "bob")
    with pytest.raises(UsageError) as raised:
        here("%kubeai_delete -o mine mine theirs -n default")
    assert "you are " + USER + ": it was not deleted. Deleted: mine. It has no Pods now." in raised.value.message
    assert raised.value.hint == "To do it all the same: %kubeai_delete -o mine theirs -n default --yes"


def test_deletes_at_once_what_python_created_here(here: Callable[[str], Any]) -> None:
    here(f"import kubeai_notebook\nm = kubeai_notebook.serve(name='mine', url='{URL}', min_replicas=0)")
    assert repr(here("%kubeai_delete mine")) == "Model('mine', Deleted)"


def test_takes_a_projects_secret_by_its_name(here: Callable[[str], Any]) -> None:
    here("import kubeai_notebook\nproject = kubeai_notebook.get_or_create_project('demo')")
    here("project.new_secret('HF_TOKEN', 'hf_" + "x" * 30 + "')")
    model = here(f"%kubeai_serve asleep {IDLE} --secret HF_TOKEN --project demo")
    assert "asleep-secrets" in model.yaml
    assert "hf_xx" not in model.yaml
    with pytest.raises(SpecError, match="HF_TOKEN"):
        here(f"%kubeai_serve other {IDLE} --secret HF_TOKN --project demo")
    here("project.delete_secret('HF_TOKEN')")


def test_names_the_models_there_are(here: Callable[[str], Any]) -> None:
    with pytest.raises(NotFoundError, match='There are no Models in namespace "default" on this machine'):
        here("%kubeai_status")
    here(f"%%kubeai_apply\nname: one\nurl: {URL}\nmin_replicas: 0\n---\nname: two\nurl: {URL}\nmin_replicas: 0")
    with pytest.raises(UsageError, match="There are: one, two"):
        here("%kubeai_status")
    with pytest.raises(NotFoundError, match='Did you mean "two"'):
        here("%kubeai_logs twoo")
    assert repr(here("%kubeai_why")).count("nothing is wrong with it") == 2


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("%kubeai_scale one", "a number of replicas, --pause or --resume"),
        ("%kubeai_scale one 2 --pause", "a number of replicas, --pause or --resume"),
        ("%kubeai_models -o not-a-name", '"not-a-name" cannot be the name of a variable'),
        ("%%kubeai_apply\n# nothing", "%%kubeai_apply has nothing to apply"),
        ("%%kubeai_serve a\nkind: Model", "%%kubeai_apply takes it as it is"),
        ("%kubeai_serve a --file /x=@/nowhere/at/all", "cannot be read here: No such file or directory"),
    ],
)
def test_answers_a_mistake_with_one_sentence(run: Callable[[str], Any], line: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        run(line)
    assert sentence in str(raised.value)


def test_names_the_line_that_makes_a_url_of_a_file_and_says_where_none_is(
    run: Callable[[str], Any], tmp_path: Path
) -> None:
    file = tmp_path / "tiny.gguf"
    line = f'serves it as ollama://tiny after %kubeai_local add "ollama://tiny={file}".'
    with pytest.raises(SpecError) as raised:
        run(f"%kubeai_serve mine {file}")
    assert str(raised.value).startswith(f'The url "{str(file)[:40]}')  # a long path is shown cut
    assert str(raised.value).endswith('" is a path of this machine, where no such file is. Check how it is spelt.')
    file.touch()
    with pytest.raises(SpecError, match="which no Pod sees") as raised:
        run(f"%kubeai_serve mine {file}")
    assert line in str(raised.value)


def test_attaches_where_only_a_name_is_said(here: Callable[[str], Any]) -> None:
    here(f"%kubeai_serve asleep {IDLE} --label team=ds -- --ctx-size=512")
    before = here("m = %kubeai_serve asleep\nm.session.cluster.model('asleep')['metadata']['annotations']")
    assert here("m.outcome.action") == "attached"
    assert here("m.note") == "asleep is served already; nothing was changed."
    again = here("import kubeai_notebook\nkubeai_notebook.serve(name='asleep')")
    assert (again.outcome.action, again.session.cluster.model("asleep")["metadata"]["annotations"]) == (
        "attached", before,
    )  # fmt: skip
    assert here("%kubeai_serve asleep --dry-run").title == "asleep is served already; nothing would change."
    changed = here("%kubeai_serve asleep --label more=1")
    assert changed.spec.labels == {"team": "ds", "more": "1"}
    assert changed.spec.args == ("--ctx-size=512",)
    with pytest.raises(SpecError, match='There is no Model "aslep" to attach to. Did you mean "asleep"?'):
        here("%kubeai_serve aslep")


def test_changes_labels_and_shows_them(here: Callable[[str], Any]) -> None:
    here(f"%kubeai_serve asleep {IDLE};")
    assert here(f"%kubeai_serve asleep {IDLE} --label team=ds").note == (
        "asleep is updated, its Pods go on: labels: with team=ds."
    )
    assert "labels: without team=ds, with team=xy" in repr(
        here(f"%kubeai_serve asleep {IDLE} --label team=xy --dry-run")
    )
    here(f"%kubeai_serve asleep {IDLE} --label team=xy;")
    assert "    team: xy\n" in repr(here("%kubeai_yaml asleep"))
    assert here(f"%kubeai_serve asleep {IDLE}").spec.labels == {}


def test_does_not_scale_back_what_was_scaled_and_says_what_replicas_mean(here: Callable[[str], Any]) -> None:
    line = f"%kubeai_serve smol --url {URL} --replicas 1"
    note = here(line).note
    assert "Inferred: " in note
    assert "scaling.min_replicas 1 (replicas 1 stay, and autoscaling may add to them)" in note
    here("%kubeai_scale smol 2;")
    again = here(line)
    assert again.note.startswith("smol is served already; nothing was changed. Replicas 1 stay")
    assert again.spec.scaling.min_replicas == 2
    assert "minReplicas: 2 → 3" in here(f"{line.removesuffix('1')}3").note


def test_resumes_what_was_paused(here: Callable[[str], Any]) -> None:
    line = f"%kubeai_serve smol --url {URL}"
    here(f"{line} --wait;")
    here("%kubeai_scale smol --pause;")
    back = here(f"{line} --wait")
    assert "It was paused, and is resumed." in back.note
    assert (back.status.phase, back.spec.scaling.autoscaling_disabled) == ("Ready", False)
    assert here(line).outcome.action == "attached"


def test_lets_two_sizes_of_one_model_be_two_models(here: Callable[[str], Any]) -> None:
    first = here("%kubeai_serve ollama://smollm2:135m --min-replicas 0")
    assert "name smollm2-135m (the last part of the url)" in first.note
    assert here("%kubeai_serve ollama://smollm2:360m --min-replicas 0 --dry-run").spec.name == "smollm2-360m"


def test_says_where_it_looked_for_a_model_and_what_n_means(here) -> None:
    with pytest.raises(NotFoundError) as raised:
        here("%kubeai_logs smol -n 3")
    assert raised.value.message == 'There is no namespace "3" on this machine.'
    assert raised.value.hint == "-n names the namespace. Did you mean --tail 3?"
    with pytest.raises(NotFoundError, match='There is no namespace "team" on this machine'):
        here("%kubeai_logs smol -n team")


def test_offers_this_machine_in_place_of_a_cluster_that_is_down(run, kubeconfig, monkeypatch) -> None:
    path = kubeconfig("https://127.0.0.1:1")
    monkeypatch.setenv("KUBECONFIG", path)
    for line in ("%kubeai_models", "%kubeai_status smol", "%kubeai_serve smol ollama://smollm2:135m"):
        with pytest.raises(UnreachableError) as raised:
            run(line)
        assert f'https://127.0.0.1:1 (context "a" of the kubeconfig {path})' in raised.value.message
        assert raised.value.hint.endswith("To work on this machine instead: %kubeai_config context=local.")
    close_defaults()
