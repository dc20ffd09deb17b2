import pytest

from kubeai_notebook.errors import UsageError
from kubeai_notebook.magics.help import Help, MagicParser, expand
from kubeai_notebook.magics.serve import _fields, _serve_parser


def fields(line: str) -> dict[str, object]:
    options = _serve_parser().read(line)
    assert not isinstance(options, Help)
    return {name: value for name, value in _fields(vars(options)).items() if value is not None}


def test_reads_the_line_of_the_tour() -> None:
    assert fields("smol --engine OLlama --url ollama://smollm2:135m") == {
        "name": "smol",
        "engine": "OLlama",
        "url": "ollama://smollm2:135m",
    }


def test_takes_a_lone_url_as_the_model() -> None:
    assert fields("hf://Qwen/Qwen2.5-0.5B-Instruct") == {"url": "hf://Qwen/Qwen2.5-0.5B-Instruct"}


def test_reads_repeated_and_paired_options() -> None:
    line = (
        "t --url hf://a/b --adapter colorist=hf://c/d --arg=--max-model-len=8192 --arg=--enforce-eager "
        "--env A=1 --env B=x=y --min-replicas 0 --max-replicas 3"
    )
    read = fields(line)
    assert read["adapters"] == [{"name": "colorist", "url": "hf://c/d"}]
    assert read["args"] == ["--max-model-len=8192", "--enforce-eager"]
    assert read["env"] == {"A": "1", "B": "x=y"}
    assert read["scaling"] == {"min_replicas": 0, "max_replicas": 3}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("a --enginee VLLM", "%kubeai_serve does not know --enginee. Did you mean --engine?"),
        ("a --eng VLLM", "%kubeai_serve does not know --eng. Did you mean --engine?"),
        ("a --zzz", "%kubeai_serve does not know --zzz. %kubeai_serve --help lists its options."),
        ("a --engine", "expected one argument"),
        ("a 'b", "A quotation mark in this line is not closed"),
        ("a --min-replicas x", "invalid int value"),
        ("a --env NAME", "--env needs NAME=VALUE."),
    ],
)
def test_answers_a_mistake_with_one_sentence(line: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        fields(line)
    assert sentence in str(raised.value)


def test_shows_examples_in_its_help() -> None:
    shown = _serve_parser().read("--help")
    assert isinstance(shown, Help)
    assert "Examples:\n  %kubeai_serve ollama://smollm2:135m" in repr(shown)


def test_refuses_abbreviated_options() -> None:
    parser = MagicParser("%x", "x", ())
    parser.add_argument("--verbose", action="store_true")
    with pytest.raises(UsageError, match="Did you mean --verbose"):
        parser.read("--verb")


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("Explain {{topic}}.", "Explain tides."),
        ("{{ topic.upper() }}", "TIDES"),
        ('{"json": {"topic": 1}}', '{"json": {"topic": 1}}'),
        ("{{unknown}} stays", "{{unknown}} stays"),
        ("{{'{{'}} literal", "{{ literal"),
        ("{{len(topic)}}", "5"),
    ],
)
def test_expands_double_braces_only(text: str, expanded: str) -> None:
    assert expand(text, {"topic": "tides"}) == expanded
