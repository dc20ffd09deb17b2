"""A Model's fields survive the way through each of the form's texts: YAML, a magic, Python."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from pydantic import SecretStr

from kubeai_notebook.core.fields import FIELDS as ALL_FIELDS
from kubeai_notebook.magics.serve import fields_of_text
from kubeai_notebook.views.form_context import FormContext
from kubeai_notebook.views.form_model import FormModel

EXAMPLES = 300
CONTEXT = FormContext(read_magic=fields_of_text)
# What quoting, IPython, YAML and our own variables act on.
ODD = ["a b", "'", '"', "it's \"x\"", "$HOME", "${HOME}", "{name}", "{{ messages[0] }}", "# no comment", "a#b", " # ",
       "x;", "what?", "!ls", "%time", "\\", "a\\", "--", "-q", "--help", "-x", "=", "a=b", "~", "null", "NO", "1",
       "line\nline", "tab\there", "\u2028", "é", "日本", "\ue0000\ue001", ": ", "- a", "@file", "", " ", "*", "…",
       "|", "&a", "!tag", "a: b", "%%kubeai_serve", '{"a": 1}']  # fmt: skip

# Control characters are refused: no container can be given one.
text = st.sampled_from(ODD) | st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)
some_text = text.filter(bool)
words = st.from_regex(r"\A[a-z]{1,10}\Z")
upper = words.map(lambda word: f"V_{word.upper()}")
names = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?\Z") | st.sampled_from(["a.gguf", "v1.2", "true", "1"])


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Set in most of the examples."""
    return st.sampled_from([True, True, False]).flatmap(lambda there: strategy if there else st.none())


KINDS = [
    ("ollama://smollm2:135m", "OLlama", "TextGeneration"),
    ("hf://org/model", "VLLM", "TextGeneration"),
    ("hf://BAAI/bge-small-en-v1.5", "Infinity", "TextEmbedding"),
    ("hf://Systran/faster-whisper-medium.en", "FasterWhisper", "SpeechToText"),
    ("pvc://claim/path?model=a b'c", "VLLM", "TextGeneration"),
    ("s3://bucket/path", "VLLM", "TextEmbedding"),
]
secrets = st.lists(
    st.builds(lambda name: {"name": name}, words)
    | st.builds(lambda env, secret, key: {"env": env, "secret": secret, "key": key}, upper, words, words | upper)
    | st.builds(lambda env: {"env": env, "value": SecretStr(f"swordfish-{env}")}, upper),
    min_size=1, max_size=4, unique_by=str,
)  # fmt: skip
hidden = st.dictionaries(st.sampled_from(["API_TOKEN", "DB_PASSWORD"]), st.just("swordfish-9"), max_size=2)
FIELDS = {
    "name": optional(names),
    "args": st.lists(some_text | st.just("--api-key=swordfish-1"), min_size=1, max_size=4),
    "env": st.builds(lambda env, more: env | more, st.dictionaries(upper, text, min_size=1, max_size=3), hidden),
    "secrets": secrets,
    "files": st.lists(
        st.builds(lambda path, content: {"path": f"/config/{path}", "content": content}, words, text),
        min_size=1, max_size=2, unique_by=lambda file: file["path"],
    ),
    "image": words,
    "priority_class_name": words,
    "namespace": words,
    "labels": st.dictionaries(words, words, min_size=1, max_size=2),
    "resource_profile": st.sampled_from(["cpu:1", "cpu:2", "nvidia-gpu-l4", "nvidia-gpu-l4:2"]),
    "min_replicas": st.integers(0, 3),
    "max_replicas": st.integers(3, 9),
    "replicas": st.integers(1, 5),
    "target_requests": st.integers(1, 500),
    "scale_down_delay_seconds": st.integers(0, 600),
    "load_balancing": st.fixed_dictionaries(
        {"strategy": st.just("PrefixHash"), "mean_load_factor": st.integers(100, 300)},
        optional={"replication": st.integers(1, 300), "prefix_char_length": st.integers(1, 300)},
    ),
}  # fmt: skip


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    url, engine, feature = draw(st.sampled_from(KINDS))
    drawn = {name: draw(optional(strategy)) for name, strategy in FIELDS.items()}
    drawn |= {"url": url, "engine": draw(optional(st.just(engine))), "features": draw(optional(st.just([feature])))}
    if engine == "VLLM":
        rows = st.lists(st.builds(lambda name, url: {"name": name, "url": url}, words, st.just("hf://a/b")),
                        min_size=1, unique_by=lambda row: row["name"])  # fmt: skip
        drawn["adapters"] = draw(optional(rows))
    if url.startswith("hf://org"):
        drawn["cache_profile"] = draw(optional(words))
    if drawn["replicas"]:
        # A number of replicas counts where autoscaling is off, and else where there are no bounds.
        drawn |= draw(st.sampled_from([{"autoscaling_disabled": True, "max_replicas": None}, {"min_replicas": None}]))
    return {name: value for name, value in drawn.items() if value is not None}


ELSEWHERE = {"url", "engine", "features", "adapters", "cache_profile", "autoscaling_disabled"}
BALANCING = {"strategy", "mean_load_factor", "replication", "prefix_char_length"}


def test_tries_every_field_that_there_is() -> None:
    assert {field.name for field in ALL_FIELDS} == FIELDS.keys() - {"load_balancing"} | ELSEWHERE | BALANCING


def spec_of(model: FormModel) -> dict[str, Any]:
    spec = model.draft.spec
    assert spec is not None, model.draft.errors
    return spec.model_dump(exclude={"inferred"})


def test_gives_the_same_spec_back_from_every_text(capsys: pytest.CaptureFixture[str]) -> None:
    counted: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(fields())
    def round_trip(given_fields: dict[str, Any]) -> None:
        model = FormModel(CONTEXT, fields=given_fields)
        assume(model.draft.spec is not None)
        wanted = spec_of(model)
        for kind in ("yaml", "magic", "python"):
            written = getattr(model.texts, kind)
            assert "swordfish" not in written
            model.paste(written)
            assert spec_of(model) == wanted, written
        assert model.texts == FormModel(CONTEXT, fields=model.fields).texts
        counted.update([*given_fields, "examples"])

    round_trip()
    shares = {name: counted[name] / counted["examples"] for name in sorted(FIELDS)}
    with capsys.disabled():
        print(f"\n{counted['examples']} examples:", ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    assert counted["examples"] >= EXAMPLES
    assert min(shares.values()) >= 0.2


@pytest.mark.parametrize("odd", ODD)
def test_gives_ipython_a_line_or_a_cell_that_it_leaves_as_it_is(odd: str) -> None:
    model = FormModel(CONTEXT, fields={"url": "hf://org/model", "args": [f"--x={odd}"], "env": {"A": odd}})
    magic = model.texts.magic
    given = list[tuple[str, ...]]()

    class Shell:
        def run_line_magic(self, *words: str) -> None:
            given.append(words)

        run_cell_magic = run_line_magic

    exec(TransformerManager().transform_cell(magic), {"get_ipython": Shell})
    ((name, line, *body),) = given
    again = FormModel(CONTEXT)
    again.paste(f"%{'%' if body else ''}{name} {line}\n{''.join(body)}")
    assert again.fields["args"] == [f"--x={odd}"]
    assert again.fields["env"] == {"A": odd}
