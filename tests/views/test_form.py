import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import SecretStr

import kubeai_notebook
from kubeai_notebook.core.catalog.offers import offers_of
from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.remedy import SetField
from kubeai_notebook.core.rules.subject import warning
from kubeai_notebook.errors import KubeAIError
from kubeai_notebook.present.field_words import in_form
from kubeai_notebook.text import plain
from kubeai_notebook.views.form import Form
from kubeai_notebook.views.form_context import FormContext
from kubeai_notebook.views.form_model import FormModel
from tests.support.forms import URL, AtOnce, Cluster, all_state, choose, form_of, from_browser, lines

pytestmark = pytest.mark.usefixtures("built")


@pytest.fixture(params=["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "\x1b[31mred", "a\u202eb"])
def hostile_text(request: pytest.FixtureRequest) -> str:
    """What somebody may have called a Model."""
    return str(request.param)


def test_has_a_control_for_every_field() -> None:
    form = form_of()
    assert all(hasattr(getattr(form, field.name), "value") for field in FIELDS)
    assert {field.name for field in FIELDS} <= set(dir(form))
    with pytest.raises(AttributeError, match="no field 'urll'"):
        _ = form.urll


def test_takes_a_value_alike_from_python_and_from_the_browser() -> None:
    ours, theirs = form_of(), form_of()
    heard = []
    ours.url.observe(lambda change: heard.append(change["new"]), "value")
    ours.url.value, ours.min_replicas.value, ours.env.value = URL, 0, {"A": "1"}
    theirs.url.set_state({"value": URL})
    theirs.min_replicas.set_state({"value": 0})
    theirs.env.set_state({"rows": [["A", "1"], ["", ""]]})
    assert heard == [URL]
    assert ours.spec == theirs.spec
    assert ours.spec is not None
    assert (ours.spec.url, ours.spec.scaling.min_replicas, ours.spec.env) == (URL, 0, {"A": "1"})
    assert ours.texts == theirs.texts


def test_is_closed_while_something_is_looked_up() -> None:
    form = form_of(url=URL)
    form.close()
    # As its timer and a press that was on its way do.
    form._look_up()
    form.look()
    form.check()
    assert form.comm is None


def test_shows_what_is_inferred_and_infers_again_what_is_emptied() -> None:
    form = form_of(url=URL)
    inferred = form.name.placeholder
    assert inferred.startswith("smollm2")
    assert form.name.value == ""
    form.name.value = "mine"
    assert form.spec is not None
    assert form.spec.name == "mine"
    form.name.value = ""
    assert form.spec is not None
    assert inferred.startswith(form.spec.name)
    assert form.engine.placeholder.startswith("OLlama")


def test_says_below_a_field_what_is_wrong_and_mends_it_by_the_button() -> None:
    form = form_of(url="hf://Qwen/Qwen3-0.6B", engine="VLLM", args=["--max-model-length=2048"])
    (line,) = [line for line in form._messages["args"].lines if line["severity"] != "info"]
    assert "max-model-len" in line["text"]
    from_browser(form._messages["args"], {"apply": line["remedies"][0]["id"]})
    assert form.args.value == ("--max-model-len=2048",)
    assert form._messages["args"].lines == []
    form.undo()
    assert form.args.value == ("--max-model-length=2048",)


def test_loses_no_notice_whatever_field_it_names() -> None:
    form = form_of(url=URL, engin="VLLM", scaling={"min_replicas": -1})
    shown = [line["text"] for messages in form._messages.values() for line in messages.lines]
    assert len(form.draft.errors) == 2
    assert all(any(in_form(notice.message) in text for text in shown) for notice in form.draft.errors)
    assert any("engin" in text for text in lines(form, ""))
    assert lines(form, "min_replicas") != []


def test_fills_itself_from_a_text_that_is_pasted() -> None:
    form = form_of()
    yaml = f"url: {URL}\nname: mine\nscaling: {{min_replicas: 0}}\n"
    assert from_browser(form._code, {"paste": yaml}) == [{"problem": ""}]
    assert (form.url.value, form.name.value, form.min_replicas.value) == (URL, "mine", 0)
    before = form.texts
    (answer,) = from_browser(form._code, {"paste": "url: [\n"})
    assert "YAML" in answer["problem"]
    assert form.texts == before


def test_counts_what_is_set_in_the_folded_part() -> None:
    form = form_of(url=URL)
    assert "(0 set)" in form._fold.buttons[0]["title"]
    form.min_replicas.value, form.strategy.value = 0, "PrefixHash"
    assert "(2 set)" in form._fold.buttons[0]["title"]


def test_offers_the_arguments_of_the_engine() -> None:
    form = form_of(url="hf://Qwen/Qwen3-0.6B", engine="VLLM")
    assert "--max-model-len=" in form.args.columns[0]["suggestions"]
    form.engine.value = "Infinity"
    assert "--batch-size=" in form.args.columns[0]["suggestions"]


def test_says_below_a_url_that_stands_still_what_the_plan_will_say_and_mends_it() -> None:
    misspelt, meant = "ollama://smolm2:135m", URL
    remedy = SetField(name="url", value=meant)
    told = warning("url", "UrlNotKnown", f"There is {meant}.", remedy, step=f"Did you mean {meant}?")
    context = FormContext(url_notices=lambda spec: (told,) if spec.url == misspelt else ())
    form = form_of(context=context, url=misspelt, name="Wrong Name")
    form._look_up()
    assert [line["severity"] for line in form._messages["url"].lines] == ["warning"]
    (button,) = form._messages["url"].lines[0]["remedies"]
    from_browser(form._messages["url"], {"apply": button["id"]})
    assert form.url.value == meant
    assert form._messages["url"].lines == []


def test_keeps_the_value_of_a_secret_out_of_everything_that_is_saved_or_shown() -> None:
    form = form_of(url=URL)
    from_browser(form._secret_values, {"keep": "HF_TOKEN", "value": "hf_verysecret"})
    assert form.spec is not None
    assert [secret.value for secret in form.spec.secrets] == [SecretStr("hf_verysecret")]  # type: ignore[union-attr]
    shown = [all_state(form), *form.texts, repr(form), str(form._repr_mimebundle_()), repr(form.draft)]
    assert all("hf_verysecret" not in text for text in shown)
    assert "HF_TOKEN" in form.texts.magic
    from_browser(form._secret_values, {"forget": "HF_TOKEN"})
    assert form.draft.spec is not None
    assert form.draft.spec.secrets == ()


def test_keeps_a_secret_that_a_text_names_when_that_is_pasted_again() -> None:
    form = form_of(url=URL)
    from_browser(form._secret_values, {"keep": "HF_TOKEN", "value": "hf_verysecret"})
    assert from_browser(form._code, {"paste": form.texts.yaml}) == [{"problem": ""}]
    assert form._secret_values.names == ["HF_TOKEN"]


def test_leaves_the_magic_that_it_stands_for_in_a_saved_notebook() -> None:
    form = form_of(url=URL, name="<b>mine</b>")
    data = form._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= data.keys()
    assert "%kubeai_serve" in data["text/plain"]
    assert URL in data["text/plain"]
    assert "<b>" not in data["text/html"]


def test_offers_starts_and_fills_itself_from_one() -> None:
    balancing = {
        "strategy": "LeastLoad",
        "prefixHash": {"meanLoadFactor": 125, "prefixCharLength": 100, "replication": 256},
    }
    spec = {"url": URL, "engine": "OLlama", "features": ["TextGeneration"], "resourceProfile": "cpu:1"}
    spec |= {"minReplicas": 3, "replicas": 3, "targetRequests": 100, "scaleDownDelaySeconds": 30}
    models = [{"metadata": {"name": "smol"}, "spec": {**spec, "loadBalancing": balancing}}]
    form = form_of(context=FormContext(models=lambda: models))
    form.look()
    assert [group["title"] for group in form._start_list.groups] == ["Models that are there"]
    choose(form, "smol")
    assert (form.name.value, form.url.value, form.min_replicas.value) == ("smol", URL, 3)
    assert "(1 set)" in form._fold.buttons[0]["title"]
    assert [notice for notice in form.draft.notices if notice.severity != "info"] == []


def test_makes_no_html_of_what_others_have_named(hostile_text: str) -> None:
    models = [{"metadata": {"name": hostile_text}, "spec": {"url": f"ollama://{hostile_text}", "engine": "OLlama"}}]
    form = form_of(context=FormContext(models=lambda: models))
    form.look()
    titles = [title for group in form._start_list.groups for title in group["options"]]
    assert all(plain(title) == title for title in titles)
    form.name.value = form.url.value = hostile_text
    shown = [line["text"] for messages in form._messages.values() for line in messages.lines]
    assert all(plain(text) == text for text in shown)
    assert not re.search("<(script|img)", form._repr_mimebundle_()["text/html"])


def test_saves_a_preset_that_it_starts_from_again() -> None:
    kept: dict[str, Mapping[str, Any]] = {}
    model = FormModel(FormContext(presets=lambda: kept), fields={"url": URL, "min_replicas": 3})
    form = Form(model, save_preset=kept.__setitem__, doing=AtOnce())  # type: ignore[arg-type]
    from_browser(form._actions, {"press": "preset"})
    (name,) = kept
    assert form._actions.status == f"Saved as preset {name}; it stands under Start from."
    form.min_replicas.value = None
    choose(form, name)
    assert form.min_replicas.value == 3


@pytest.mark.parametrize("name", ["messages", "buttons", "rows", "number", "secret_value", "code", "starts"])
def test_stays_small(built: Callable[[str], int], name: str) -> None:
    assert built(f"{name}.js") < 10_000


def test_is_a_function_of_the_package() -> None:
    with pytest.raises(KubeAIError, match="name is given twice"):
        kubeai_notebook.form("a", name="b")


def test_opens_without_an_error_and_says_all_when_it_is_to_deploy() -> None:
    form = form_of()
    severities = [line["severity"] for messages in form._messages.values() for line in messages.lines]
    assert "error" not in severities
    assert any("A Model needs a url" in text for text in lines(form, "url"))
    assert "error" not in form._code.tabs[0]["text"]
    assert form.draft.errors
    sent: list[Any] = []
    form._messages["url"].send = lambda content, buffers=None: sent.append(content)
    form.deploy()
    assert [line["severity"] for line in form._messages["url"].lines] == ["error"]
    assert sent == [{"focus": True}]
    assert form._actions.status.startswith("Not deployed: ")


def test_says_of_a_check_of_wrong_fields_which_they_are() -> None:
    cluster = Cluster()
    form = form_of(context=cluster.context)
    from_browser(form._actions, {"press": "check"})
    assert [line["severity"] for line in form._messages["url"].lines] == ["error"]
    assert form._actions.status.startswith("Not checked: ")


def test_says_what_a_preset_wants_and_what_was_done() -> None:
    kept: dict[str, Mapping[str, Any]] = {}
    form = Form(FormModel(FormContext(presets=lambda: kept)), save_preset=kept.__setitem__, doing=AtOnce())  # type: ignore[arg-type]
    from_browser(form._actions, {"press": "preset"})
    assert (kept, form._actions.status) == ({}, "Give a url or a name first: a preset is kept under the Model's name.")
    form.name.value = "smol"
    from_browser(form._actions, {"press": "preset"})
    assert kept == {"smol": {"name": "smol"}}
    assert form._actions.status.startswith("Saved as preset smol")


def test_keeps_a_plan_that_is_shown_when_it_learns_more_of_the_cluster() -> None:
    form = form_of(context=Cluster("update").context, url=URL)
    form.check()
    shown = form._checks.lines
    assert shown
    form.look()
    assert form._checks.lines == shown
    assert form._actions.buttons[0]["title"] == "Apply this change"


def test_shows_as_code_what_would_run_and_else_why_there_is_none() -> None:
    form = form_of(url=URL, name="Not Good")
    _, *codes = form._code.tabs
    assert [code["text"] for code in codes] == ["", "", ""]
    assert all("Not Good" in code["reason"] for code in codes)
    form.name.value = "good"
    _, *codes = form._code.tabs
    assert all(code["text"] and not code["reason"] for code in codes)


def boxes(form: Form) -> dict[str, bool]:
    return {box.description: box.value for box in form.features.children[1:]}


def test_ticks_the_features_that_are_inferred_and_says_so() -> None:
    form = form_of(url=URL)
    assert [word for word, ticked in boxes(form).items() if ticked] == ["TextGeneration (inferred)"]
    assert "features" not in form._model.fields
    form.url.value = "hf://BAAI/bge-small-en-v1.5"
    assert [word for word, ticked in boxes(form).items() if ticked] == ["TextEmbedding (inferred)"]
    form.url.value = ""
    assert not any(boxes(form).values())


def test_states_the_features_that_are_ticked_and_infers_again_where_none_is() -> None:
    form = form_of(url=URL)
    generation, embedding, *_ = form.features.children[1:]
    embedding.set_state({"value": True})
    assert form.features.value == ("TextGeneration", "TextEmbedding")
    assert boxes(form)["TextGeneration"]
    generation.set_state({"value": False})
    assert form.features.value == ("TextEmbedding",)
    embedding.set_state({"value": False})
    assert form.features.value == ()
    assert boxes(form)["TextGeneration (inferred)"]
    generation.set_state({"value": False})
    assert boxes(form)["TextGeneration (inferred)"]
    form.features.value = ("Reranking",)
    assert [word for word, ticked in boxes(form).items() if ticked] == ["Reranking"]


def test_sends_no_login_of_a_url_that_it_could_start_from() -> None:
    models = [{"metadata": {"name": "smol"}, "spec": {"url": "s3://me:swordfish@bucket/x", "engine": "VLLM"}}]
    offers = offers_of(models, None)
    form = form_of(context=FormContext(models=lambda: models, offers=lambda: offers))
    form.look()
    assert "swordfish" not in all_state(form)


def test_shows_no_secret_of_a_model_and_keeps_it() -> None:
    """In any control: each holds what goes into the page, and into a notebook that keeps its widgets."""
    env = {"API_KEY": "swordfish2", "A": "1"}
    args, login = ["--api-key=swordfish3", "--verbose"], {"/root/.netrc": "password swordfish4"}
    form = form_of(url=URL, name="smol", env=env, args=args, files=login)
    assert "swordfish" not in all_state(form)
    form.env.set_state({"rows": [*form.env.rows, ["B", "2"]]})
    assert form.spec is not None
    assert form.spec.env == {**env, "B": "2"}
    form.env.set_state({"rows": [["OTHER", form.env.value["API_KEY"]]]})
    assert "hidden" in lines(form, "env")[0]
    form.deploy()
    assert form.spec.env == {**env, "B": "2"}
    assert [*form.spec.args] == args
    assert {file.path: file.content for file in form.spec.files} == login


def test_keeps_a_row_that_is_wrong_where_another_field_is_mended() -> None:
    form = form_of(url=URL, engine="VLM")
    form.secrets.set_state({"rows": [["HF_TOKEN=hub"], ["login"]]})
    from_browser(form._secret_values, {"keep": "API_KEY", "value": "swordfish"})
    line = next(line for line in form._messages["engine"].lines if line["remedies"])
    from_browser(form._messages["engine"], {"apply": line["remedies"][0]["id"]})
    assert form.engine.value == "VLLM"
    assert form.secrets.value == ("HF_TOKEN=hub", "login")
    assert form._secret_values.names == ["API_KEY"]


def test_removes_a_secret_of_another_url_by_its_button() -> None:
    form = form_of(url="hf://org/a")
    from_browser(form._secret_values, {"keep": "HF_TOKEN", "value": "hf_verysecret"})
    form.url.value = URL
    (line,) = form._messages["secrets"].lines
    from_browser(form._messages["secrets"], {"apply": line["remedies"][0]["id"]})
    assert form._secret_values.names == []
    assert form.spec is not None
    assert form.spec.secrets == ()


@pytest.mark.parametrize("fields", [{}, {"url": URL, "name": "Not Good"}])
def test_says_in_a_saved_notebook_why_its_magic_would_not_run(fields: dict[str, Any]) -> None:
    form = form_of(**fields)
    for shown in form._repr_mimebundle_()["text/html"], repr(form):
        assert "Run this to serve it" not in shown
        assert "Nothing to run yet." in shown
