"""The form without a widget: what it infers, says, takes over and gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeai_notebook.core.catalog.offers import Offer, offers_of
from kubeai_notebook.core.estimate import Figures
from kubeai_notebook.core.facts import ClusterFacts
from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.plan import Outcome
from kubeai_notebook.errors import KubeAIError, UsageError
from kubeai_notebook.present.field_words import label_of
from kubeai_notebook.views.form_context import FormContext
from kubeai_notebook.views.form_model import FormModel
from tests.support.forms import URL, codes, form

RUNNING = {
    "apiVersion": "kubeai.org/v1", "kind": "Model",
    "metadata": {"name": "smol", "uid": "1", "labels": {"features.kubeai.org/TextGeneration": "true"}},
    "spec": {"url": URL, "engine": "OLlama", "features": ["TextGeneration"], "resourceProfile": "cpu:1",
             "minReplicas": 1, "replicas": 1, "owner": "me"},
    "status": {"replicas": {"all": 1, "ready": 1}},
}  # fmt: skip
FACTS = ClusterFacts(operator_config=operator_config_of(None), models=(RUNNING,))


def test_infers_anew_what_was_not_stated() -> None:
    model = form({"url": URL})
    assert (model.value("name"), model.inferred("name")) == ("smollm2-135m", True)
    model.set("url", "hf://BAAI/bge-small-en-v1.5")
    assert (model.value("name"), model.value("engine"), model.value("features")) == (
        "bge-small-en-v1-5", "Infinity", ["TextEmbedding"],
    )  # fmt: skip
    assert model.fields == {"url": "hf://BAAI/bge-small-en-v1.5"}


def test_takes_a_field_back() -> None:
    model = form({"url": URL, "name": "smol", "minReplicas": 0})
    assert (model.value("min_replicas"), model.inferred("min_replicas")) == (0, False)
    model.set("name", "")
    model.set("min_replicas", None)
    assert model.fields == {"url": URL}
    assert (model.value("name"), model.value("min_replicas")) == ("smollm2-135m", 1)


def test_says_what_is_inferred_also_where_another_field_is_wrong() -> None:
    model = form({"url": URL, "engine": "VLM"})
    assert model.draft.spec is None
    assert model.value("name") == "smollm2-135m"


def test_says_a_notice_under_its_field() -> None:
    model = form(
        {"url": "hf://a/b", "engine": "vlm", "min_replicas": 3, "max_replicas": 1, "args": ["--max-model-length=1"]}
    )
    assert "UnsupportedValue" in codes(model, "engine")
    model.set("engine", None)
    assert model.notices("min_replicas") == model.notices("max_replicas") != ()
    assert any("max-model-len" in str(notice) for notice in model.notices("args"))


def test_keeps_what_a_control_holds_where_it_is_wrong() -> None:
    model = form({"url": URL})
    model.set("secrets", {"HF_TOKEN": "no colon"})
    assert model.value("secrets") == {"HF_TOKEN": "no colon"}
    assert model.notices("secrets")[0].severity == "error"
    assert "no colon" not in str(model.texts)


def test_leads_to_the_first_error() -> None:
    model = form({"name": "Not Good", "args": ["--x"]})
    first = model.first_error()
    assert first is not None
    assert model.field_of(first) == "name"
    model.set("name", None)
    second = model.first_error()
    assert second is not None
    assert model.field_of(second) == "url"
    model.set("url", URL)
    assert model.first_error() is None


def test_applies_a_remedy_once_and_undoes_it() -> None:
    model = form({"url": "hf://a/b", "adapters": {"x": "hf://c/d", "y": "hf://e/f"}, "min_replicas": 0})
    remedy = next(one for notice in model.notices("args") for one in notice.remedies if one.kind == "change")
    model.apply(remedy.id)
    assert model.fields["args"] == ["--max-loras=2"]
    with pytest.raises(UsageError):
        model.apply(remedy.id)
    remedy = next(one for notice in model.notices("min_replicas") for one in notice.remedies if one.kind == "change")
    model.apply(remedy.id)
    assert model.value("min_replicas") == 1
    assert model.undo()
    assert model.undo()
    assert "args" not in model.fields
    assert not model.undo()


keys_of_rows = st.sampled_from(["name", "url", "path", "content", "env", "value", "secret", "key", "x"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=3)
    | st.sampled_from(["hf://a/b", "a=b", "A=b:c", "x:y:z", "\ud800", "\x00"]) | st.builds(object),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(keys_of_rows, inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sampled_from([field.name for field in FIELDS] + ["scaling", "resources", "foo"]), anything))
)
def test_says_what_is_wrong_and_never_raises_whatever_a_control_holds(keys: list[tuple[str, Any]]) -> None:
    model = form({"url": URL}, facts=lambda: FACTS)
    for name, value in keys:
        model.set(name, value)
        assert model.draft.spec is not None or model.draft.errors
        assert all(isinstance(text, str) for text in model.texts)
        model.profiles()
        for field in FIELDS:
            model.value(field.name)
            model.notices(field.name)


@pytest.mark.parametrize("text", [
    r'{"url": "ollama://a", "env": {"A": "\ud83d\ude00", "B": "\ud83d", "\ude00": ""}}',
    r"serve('ollama://a', env={'A': '\ud83d\ude00', 'B': '\ud83d', '\ude00': ''})",
])  # fmt: skip
def test_puts_characters_together_that_a_pasted_text_writes_in_halves(text: str) -> None:
    model = form({})
    model.paste(text)
    assert model.value("env") == {"A": "😀", "B": "\ufffd", "\ufffd": ""}
    f"{model.texts}".encode()


TEXTS = {
    "short YAML": "url: ollama://smollm2:135m\nminReplicas: 0",
    "manifest": "apiVersion: kubeai.org/v1\nkind: Model\nmetadata: {name: smollm2-135m}\nspec:\n"
    "  {url: 'ollama://smollm2:135m', engine: OLlama, features: [TextGeneration], resourceProfile: 'cpu:1'}",
    "chart values": "catalog:\n  smollm2-135m:\n    enabled: true\n    url: ollama://smollm2:135m\n    minReplicas: 0",
    "magic": "m = %kubeai_serve ollama://smollm2:135m --min-replicas 0 --wait  # small",
    "two lines": "%kubeai_serve ollama://smollm2:135m \\\n  --min-replicas 0",
    "cell": "%%kubeai_serve ollama://smollm2:135m\nscaling: {min_replicas: 0}",
    "apply": "%%kubeai_apply --wait\nurl: ollama://smollm2:135m\nminReplicas: 0",
    "call": "import kubeai_notebook as k\nm = k.serve('ollama://smollm2:135m', min_replicas=0, wait=True)",
    "function": "f = project.new_function('f', kind='kubeai-text', model_name='smollm2-135m', url='ollama://smollm2:135m')\n"
    "run = f.run(action='serve', scaling={'min_replicas': 0})",
}


@pytest.mark.parametrize("kind", TEXTS)
def test_reads(kind: str) -> None:
    model = form()
    model.paste(TEXTS[kind])
    spec = model.draft.spec
    assert spec is not None
    assert (spec.name, spec.url, spec.scaling.min_replicas) == ("smollm2-135m", URL, 0)


BAD = (
    "", "   ", "no text of a Model", "serve(", "serve(**fields)", "serve(url)", "serve('a', 'hf://b/c', 'd')",
    "serve('hf://a/b', args=[open('/etc/passwd').read()])", "serve('hf://a/b', engin='VLLM')",
    "serve('hf://a/b', secrets={'A': 'swordfish'})", "serve('hf://a/b'); serve('hf://a/c')", "a: [", "url: !x y",
    "foo: bar", "args: 5\nurl: hf://a/b", "kind: Secret\nmetadata: {name: x}", "catalog: {a: {}, b: {}}",
    "kind: Model\nmetadata: {name: x}\nspec: {url: 'hf://a/b', newer: 1}", "--- \nurl: hf://a/b\n---\nurl: hf://a/c",
    "%kubeai_chat smol Hello", "%kubeai_serve --engin x", "%kubeai_serve a b c", "%kubeai_serve --help",
    "%kubeai_serve smol hf://a/b --file /x=@/etc/hostname",
    "%kubeai_serve smol hf://a/b\n%kubeai_status", "%%kubeai_serve x hf://a/b\nkind: Model", "2024-01-01: x",
    "x" * (1 << 21), "serve(" * 5000,
)  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:40])
def test_changes_nothing_where_a_text_cannot_be_read(text: str) -> None:
    model = form({"url": URL, "name": "smol"})
    with pytest.raises(KubeAIError) as raised:
        model.paste(text)
    assert model.fields == {"url": URL, "name": "smol"}
    assert "swordfish" not in str(raised.value)
    assert not model.undo()


pieces = st.sampled_from(
    [*TEXTS.values(), *(text for text in BAD if len(text) < 100), "{{", "'", '"', "\n", "\\", "\x00"]
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(pieces | st.text(max_size=10), min_size=1, max_size=3).map("".join), st.integers(0, 60))
def test_reads_or_refuses_any_text(text: str, start: int) -> None:
    for part in (text, text[start:], text[:start]):
        model = form({"url": URL})
        try:
            model.paste(part)
        except KubeAIError:
            assert model.fields == {"url": URL}
        assert isinstance(model.texts.magic, str)


def test_runs_nothing_of_a_text(tmp_path: Any) -> None:
    model, mark = form(), tmp_path / "mark"
    for text in (
        f"serve('hf://a/b', args=[__import__('pathlib').Path({str(mark)!r}).touch()])",
        f"%kubeai_serve hf://a/b --arg={{__import__('pathlib').Path({str(mark)!r}).touch()}}",
        f"url: !!python/object/apply:pathlib.Path.touch [{mark}]",
    ):
        try:
            model.paste(text)
        except KubeAIError:
            continue
    assert not mark.exists()


def test_starts_from_the_catalog_a_preset_or_a_running_model() -> None:
    presets = {"mine": {"url": "hf://a/b", "scaling": {"min_replicas": 0}}}
    model = form(
        {"name": "typed"}, offers=lambda: offers_of((), None), models=lambda: [RUNNING], presets=lambda: presets
    )
    keys = [start.key for start in model.starts()]
    assert keys[:2] == ["preset:mine", "model:smol"]
    assert f"catalog:{URL}" in keys
    model.start("preset:mine")
    assert model.fields == presets["mine"]
    model.start("model:smol")
    assert model.value("url") == URL
    assert model.fields["scaling"] == {"min_replicas": 1}
    model.start(f"catalog:{URL}")
    assert model.fields == {"url": URL}
    with pytest.raises(UsageError):
        model.start("model:gone")
    for _ in range(3):
        assert model.undo()
    assert model.fields == {"name": "typed"}


def test_states_everything_of_a_model_that_is_there() -> None:
    model = form({"url": URL, "name": "smol", "engine": "OLlama", "resource_profile": "cpu"}, facts=lambda: FACTS)
    assert model.texts.magic == f"%kubeai_serve smol {URL} --engine OLlama --profile cpu:1"
    model.set("name", "another")
    assert model.texts.magic == f"%kubeai_serve another {URL}"


def test_says_what_profiles_mean_and_what_is_free_and_fits() -> None:
    figures = Figures(
        weights_bytes=15 * 10**9, token_bytes=131072, longest_context=131072, source="the repository's files"
    )
    model = form(
        {"url": "hf://org/model-8b", "args": ["--max-model-len=8192"]},
        facts=lambda: FACTS, figures=lambda _url: figures, free=lambda: {"nvidia-gpu-l4": 2},
    )  # fmt: skip
    before = {choice.name: choice for choice in model.profiles()}
    assert before["nvidia-gpu-l4:1"].free is None
    assert before["nvidia-gpu-l4:1"].estimate is not None
    assert '"8b" in the url' in before["nvidia-gpu-l4:1"].estimate.source
    model.look_up()
    choices = {choice.name: choice for choice in model.profiles()}
    l4 = choices["nvidia-gpu-l4:1"]
    assert (l4.free, l4.meaning) == (2, "1 x NVIDIA L4 (24 GB), 6 CPU, 24Gi memory")
    assert l4.estimate is not None
    assert (l4.estimate.fits, l4.estimate.context, l4.estimate.cache_bytes) == (True, 8192, 8192 * 131072)
    rtx = choices["nvidia-gpu-rtx4070-8gb:1"].estimate
    assert rtx is not None
    assert (rtx.fits, rtx.largest_context, rtx.tokens_a_second) == (False, 0, None)


def test_says_nothing_of_profiles_that_are_not_known() -> None:
    assert form({"url": URL}).profiles() == []
    assert form({"url": "hf://org/unnamed"}, facts=lambda: FACTS).profiles()[0].estimate is None


def test_serves_the_plan_that_was_shown_and_else_the_fields() -> None:
    class Report:
        notices = ()

    served: list[Any] = []

    def serve(what: Any, **_: Any) -> Outcome:
        served.append(what)
        return Outcome(action="created", name="smol")

    report = Report()
    model = form({"url": URL}, plan=lambda _fields: report, serve=serve)
    model.serve()
    model.plan()
    model.serve()
    model.set("name", "other")
    model.serve()
    assert served == [{"url": URL}, report, {"url": URL, "name": "other"}]


@pytest.mark.parametrize(("field", "value"), [("name", "Wrong Name"), ("min_replicas", -1), ("engin", "VLLM")])
def test_infers_from_a_url_without_its_scheme_also_where_another_field_is_wrong(field: str, value: Any) -> None:
    asked = []
    context = FormContext(url_notices=lambda spec: asked.append(spec.url) or ())
    form = FormModel(context, fields={"url": "smollm2:135m", field: value})
    form.look_up()
    assert form.draft.spec is None
    assert form.value("engine") == "OLlama"
    assert asked == ["ollama://smollm2:135m"]


def severities(model: FormModel, field: str) -> list[str]:
    return [notice.severity for notice in model.shown(field)]


@pytest.mark.parametrize("fields", [{}, {"name": "smol"}, {"engine": "VLLM", "min_replicas": 2}])
def test_hints_at_what_a_field_that_nobody_has_touched_still_needs(fields: dict[str, Any]) -> None:
    model = form(fields)
    assert severities(model, "url") == ["info"]
    assert [notice.severity for notice in model.notices("url")] == ["error"]
    assert "error" not in model.texts.summary
    model.show_all()
    assert severities(model, "url") == ["error"]


def test_says_what_is_wrong_of_a_field_that_was_emptied_or_stated() -> None:
    model = form({"url": URL, "name": "Not Good"})
    assert severities(model, "name") == ["error"]
    model.set("url", "")
    assert severities(model, "url") == ["error"]
    model = form()
    model.set("url", "hf://")
    assert severities(model, "url") == ["error"]
    model = form()
    model.paste("adapters: [{name: x}]")
    assert "error" in severities(model, "adapters")


@pytest.mark.parametrize(("field", "value"), [("name", "Not Good"), ("min_replicas", -1), ("engine", "vlm")])
def test_says_in_place_of_code_that_would_not_run_which_field_stops_it(field: str, value: Any) -> None:
    model = form({"url": URL, field: value})
    problem = model.texts.problem
    assert label_of(field) in problem or field in problem
    model.set(field, None)
    assert model.texts.problem == ""


def test_counts_the_other_fields_that_stop_it() -> None:
    assert form({"url": URL, "name": "Not Good"}).texts.problem.count("more") == 0
    assert form({"url": URL, "name": "Not Good", "min_replicas": -1}).texts.problem.endswith("1 more is wrong.")


@pytest.mark.parametrize("facts", [None, FACTS])
@pytest.mark.parametrize(
    ("field", "wrong", "meant"),
    [
        ("engine", "vlm", "VLLM"),
        ("url", "hff://org/model", "hf://org/model"),
        ("name", "My_Model", "my-model"),
        ("features", ["TextEmbeding"], ["TextEmbedding"]),
    ],
)
def test_says_once_that_a_word_is_misspelt_and_mends_it(field: str, wrong: Any, meant: Any, facts: Any) -> None:
    model = form({"url": "hf://a/b", field: wrong}, facts=lambda: facts)
    (error,) = model.draft.errors
    (remedy,) = error.remedies
    assert remedy.title.startswith(("Did you mean", "Call it"))
    model.apply(remedy.id)
    assert model.value(field) == meant
    assert not model.draft.errors


WRONG_YAML = {
    "url: hf://a/b\nname: x\nengin: VLLM\n": ["line 3", '"engin"', '"engine"'],
    "url: hf://a/b\nscaling:\n  min_replica: 1\n": ["line 3", '"min_replicas"'],
    "kind: Model\nmetadata: {name: x}\nspec:\n  url: hf://a/b\n  engin: VLLM\n": ["line 5", '"engin"', '"engine"'],
    "catalog:\n  x:\n    url: hf://a/b\n    engin: VLLM\n": ["line 4", '"engine"'],
    "url: hf://a/b\nargs: 5\n": ["line 2", '"args"'],
    "url: hf://a/b\nadapters:\n- nme: x\n  url: hf://c/d\n": ["line 3", '"name"'],
    "url: hf://a/b\nengin: V\nfoo: 1\n": ["line 2", "line 3"],
    "url: hf://a/b\nprofile: a\nresource_profile: b\n": ["line 2"],
    "url: hf://a/b\nname: [x\n": ["line 3", "column 1"],
    "url: hf://a/b\n\tname: x\n": ["line 2", "column 1"],
    "url: hf://a/b: c\n": ["line 1", "column 14"],
    "url: hf://a/b\nNO: x\n": ["line 2"],
    "serve('hf://a/b',\n  engin='V')": ['"engine"'],
    "strategy: LeastLoad\nurl: hf://a/b\n": ["line 1", "load_balancing"],
}


@pytest.mark.parametrize("text", WRONG_YAML)
def test_says_where_a_text_is_wrong_and_what_was_meant(text: str) -> None:
    model = form({"url": URL})
    with pytest.raises(KubeAIError) as raised:
        model.paste(text)
    assert [words for words in WRONG_YAML[text] if words not in raised.value.message.lower()] == []
    assert model.fields == {"url": URL}


def test_tells_of_each_start_whether_it_lies_here_its_size_and_whether_it_fits() -> None:
    offers = (
        Offer(
            url=URL, features=(), engine="OLlama", size_bytes=271 * 10**6, here=True, fits=True, source="this machine",
        ),
        Offer(
            url="ollama://big:70b", features=(), engine="OLlama", size_bytes=40 * 10**9, fits=False,
            why="It needs 42 GB, and there are 8.", source="known", title="A large model",
        ),
        Offer(
            url="hf://org/tensors", features=(), engine="VLLM", lacks=True, why="needs a converter", source="known",
        ),
        Offer(url="hf://org/model", features=(), engine="VLLM", source="cluster", model="smol"),
    )  # fmt: skip
    details = {start.title: start.detail for start in form(offers=lambda: offers).starts()}
    assert details[URL] == "downloaded, 271 MB, fits"
    assert details["ollama://big:70b"].startswith("not downloaded, about 40.0 GB, does not fit: It needs 42 GB")
    assert details["hf://org/tensors"] == "not downloaded, needs a converter"
    assert details["hf://org/model"] == "served as smol"


def test_takes_a_url_without_the_blanks_that_were_pasted_with_it() -> None:
    model = form({"url": URL})
    model.set("url", "  hf://org/a \n")
    assert model.value("url") == "hf://org/a"


def test_goes_back_and_forward_between_what_filled_it() -> None:
    presets = {name: {"url": f"hf://org/{name}"} for name in "abc"}
    model = form({"url": URL}, presets=lambda: presets)
    for name in presets:
        model.start(f"preset:{name}")
    model.set("min_replicas", 3)
    urls = []
    while model.undo():
        urls.append(model.value("url"))
    assert urls == ["hf://org/b", "hf://org/a", URL]
    while model.redo():
        urls.append(model.value("url"))
    assert urls[3:] == ["hf://org/a", "hf://org/b", "hf://org/c"]
    assert model.value("min_replicas") == 3
    model.undo()
    model.set("min_replicas", 4)
    assert not model.can_redo
    assert not model.redo()


@pytest.mark.parametrize(("namespace", "code"), [
    ("Team A", "InvalidNamespace"), ("a.b", "InvalidNamespace"), ("a" * 64, "InvalidNamespace"),
    ("-a", "InvalidNamespace"), ("other", "WrongNamespace"), ("team", None),
])  # fmt: skip
def test_says_what_is_wrong_with_a_namespace_as_it_is_typed(namespace: str, code: str | None) -> None:
    model = form({"url": URL}, facts=lambda: ClusterFacts(operator_config=operator_config_of(None), namespace="team"))
    model.set("namespace", namespace)
    assert codes(model, "namespace") == ([code] if code else [])
    alone = form({"url": URL, "namespace": namespace})
    assert codes(alone, "namespace") == ([code] if code == "InvalidNamespace" else [])


def test_shows_of_a_start_what_it_then_fills_in() -> None:
    offer = Offer(url="hf://org/model", features=("TextEmbedding",), engine="Infinity", source="cluster", model="smol")
    model = form(offers=lambda: [offer])
    model.start(f"catalog:{offer.url}")
    assert (model.value("features"), model.value("engine")) == (["TextEmbedding"], "Infinity")


def test_plans_with_the_model_that_it_was_filled_from() -> None:
    seen: list[Any] = []

    def plan(_fields: Any, **how: Any) -> Any:
        seen.append(how.get("seen"))
        return type("Report", (), {"notices": ()})

    model = form(models=lambda: [RUNNING], plan=plan, serve=lambda what, **_: seen.append(what))
    model.start("model:smol")
    model.set("min_replicas", 2)
    model.plan()
    model.set("name", "another")
    model.plan()
    model.undo()
    model.plan()
    model.redo()
    model.set("name", "smol")
    model.serve()
    assert seen[:4] == [RUNNING, None, None, RUNNING]
