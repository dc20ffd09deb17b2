from __future__ import annotations

import pytest

from kubeai_notebook.core.remedy import SetField
from kubeai_notebook.core.source import parse_source
from kubeai_notebook.core.source_spellings import names_and_urls, read_spelling
from kubeai_notebook.core.spec import draft_of, spec_of
from kubeai_notebook.errors import SpecError


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("org/model", "hf://org/model"),
        (" org/Model-1.5_b ", "hf://org/Model-1.5_b"),
        ("huggingface/org/model", "hf://org/model"),
        ("qwen3:0.6b", "ollama://qwen3:0.6b"),
        ("user/model:7b", "ollama://user/model:7b"),
        ("ollama/qwen3", "ollama://qwen3"),
        ("ollama/qwen3:0.6b", "ollama://qwen3:0.6b"),
        ("hf:/org/model", "hf://org/model"),
        ("hf:org/model", "hf://org/model"),
        ("hf:///org/model", "hf://org/model"),
        ("HF://org/model", "hf://org/model"),
        ("ollama:qwen3:0.6b", "ollama://qwen3:0.6b"),
        ("huggingface://org/model", "hf://org/model"),
        ("gcs://bucket/path", "gs://bucket/path"),
        ("s3:/bucket/path", "s3://bucket/path"),
        ("https://huggingface.co/org/model", "hf://org/model"),
        ("https://huggingface.co/org/model/", "hf://org/model"),
        ("http://www.huggingface.co/org/model?library=vllm#usage", "hf://org/model"),
        ("huggingface.co/org/model/tree/main", "hf://org/model"),
        ("https://huggingface.co/org/model/blob/main/config.json", "hf://org/model"),
        ("https://huggingface.co/org/model/tree/v2", "hf://org/model?revision=v2"),
        ("https://huggingface.co/api/models/org/model", "hf://org/model"),
        ("hf.co/org/model", "hf://org/model"),
        ("hf://https://huggingface.co/org/model", "hf://org/model"),
        ("hf://huggingface.co/org/model", "hf://org/model"),
        ("https://me:hf_secret@huggingface.co/org/model", "hf://org/model"),
        ("hf.co/org/repo:Q4_K_M", "ollama://hf.co/org/repo:Q4_K_M"),
        ("org/model-GGUF", "ollama://hf.co/org/model-GGUF"),
        ("org/model-gguf:Q8_0", "ollama://hf.co/org/model-gguf:Q8_0"),
        ("https://huggingface.co/org/model-GGUF", "ollama://hf.co/org/model-GGUF"),
        (
            "https://huggingface.co/org/m-GGUF/resolve/main/m-q4_k_m.gguf?download=true",
            "ollama://hf.co/org/m-GGUF:Q4_K_M",
        ),
        ("https://huggingface.co/org/m/blob/main/m-UD-IQ2_XXS.gguf", "ollama://hf.co/org/m:IQ2_XXS"),
        ("https://huggingface.co/org/m/blob/main/m.Q6_K-00001-of-00002.gguf", "ollama://hf.co/org/m:Q6_K"),
        ("https://huggingface.co/org/m/resolve/main/odd.gguf", "ollama://hf.co/org/m:odd.gguf"),
        ("https://ollama.com/library/qwen3:0.6b", "ollama://qwen3:0.6b"),
        ("ollama.com/library/qwen3/tags", "ollama://qwen3"),
        ("https://ollama.com/user/model", "ollama://user/model"),
        ("ollama://https://ollama.com/library/qwen3", "ollama://qwen3"),
    ],
)
def test_reads_what_people_write(written: str, url: str) -> None:
    read = read_spelling(written)
    assert read is not None
    assert read.url == url
    assert parse_source(read.url) == url
    assert "secret" not in read.why


@pytest.mark.parametrize(
    "text",
    [
        "hf://org/model", "ollama://qwen3:0.6b", "ollama://hf.co/org/repo:Q4_K_M", "s3://bucket/a.gguf", "pvc://claim",
        "store://p/model", "http://host/model", "example.com/model", "llama3.2", "", "hf://", "hf:", "a b/c",
        "https://huggingface.co/datasets/org/data", "https://huggingface.co/org", "./m.gguf", "x" * 1_000_000,
        "https://ollama.com/search?q=x", "ollama.com/models", "https://ollama.com/blog/x", "ollama.com/library",
        "https://ollama.com/settings/keys", "https://huggingface.co/settings/tokens", "settings/tokens",
    ],
)  # fmt: skip
def test_reads_nothing_else_in_another_way(text: str) -> None:
    assert read_spelling(text) is None


def test_says_what_was_made_of_it() -> None:
    draft = draft_of({"url": "org/model", "adapters": {"style": "org/lora"}})
    assert draft.spec is not None
    assert (draft.spec.url, draft.spec.adapters[0].url) == ("hf://org/model", "hf://org/lora")
    (url,) = draft.about("url")
    assert (url.severity, url.code) == ("info", "Inferred")
    assert url.message == "hf://org/model: a repository of Hugging Face."
    (adapter,) = draft.about("adapters")
    assert adapter.message == "hf://org/lora: a repository of Hugging Face."


@pytest.mark.parametrize("page", ["m-GGUF/blob/dev/model-Q8_0.gguf", "m-GGUF/resolve/dev/odd.gguf", "m-GGUF/tree/dev"])
def test_says_that_a_branch_is_left_out(page: str) -> None:
    read = read_spelling(f"https://huggingface.co/org/{page}")
    assert read is not None
    assert read.url.startswith("ollama://hf.co/org/m-GGUF")
    assert 'not those of "dev"' in read.why
    main = read_spelling(f"https://huggingface.co/org/{page.replace('dev', 'main')}")
    assert main is not None
    assert "branch" not in main.why


def test_says_nothing_of_a_url_that_is_one() -> None:
    assert "url" not in {inferred.field for inferred in spec_of({"url": "ollama://qwen3:0.6b"}).inferred}


@pytest.mark.parametrize(
    ("path", "way"),
    [
        (
            "./models/Tiny.gguf",
            'ollama://tiny after kubeai-local add "ollama://tiny=./models/Tiny.gguf".',
        ),
        ("~/m.gguf", "ollama://m"),
        (r"C:\models\m.gguf", "ollama://m"),
        ("m.gguf", "ollama://m"),
        ("folder/odd name.gguf", "ollama://mine"),
        ("/data/model", "For a cluster, put it on a volume (pvc://claim/path) or in a bucket"),
        ("file:///data/model", "For a cluster"),
    ],
)
def test_says_what_can_be_done_with_a_file(path: str, way: str) -> None:
    (notice,) = draft_of({"url": path}).errors
    assert notice.message.startswith(f'The url "{path}" is a path of this machine, which no Pod sees.')
    assert way in notice.message


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("llama3.2", 'Did you mean "ollama://llama3.2"?'),
        ("https://huggingface.co/org", 'The page "https://huggingface.co/org" shows no model.'),
        ("https://huggingface.co/datasets/org/data", "shows no model. Give one such as huggingface.co/org/model."),
        ("hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "or ollama://name:tag."),
        ("x" * 1_000_000, "or ollama://name:tag."),
    ],
)
def test_names_the_nearest_that_would_do(url: str, sentence: str) -> None:
    with pytest.raises(SpecError) as raised:
        spec_of({"url": url})
    assert sentence in str(raised.value)
    assert "abcdefghij" not in str(raised.value)
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("words", "names", "urls"),
    [
        (["smol"], ["smol"], []),
        (["org/model"], [], ["org/model"]),
        (["smol", "qwen3:0.6b"], ["smol"], ["qwen3:0.6b"]),
        (["hf:/org/model", "smol"], ["smol"], ["hf:/org/model"]),
        (["smol", "llama3.2"], ["smol"], ["llama3.2"]),
        (["smol", "m.gguf"], ["smol"], ["m.gguf"]),
        (["smol-1.5"], ["smol-1.5"], []),
    ],
)
def test_tells_a_name_from_a_url(words: list[str], names: list[str], urls: list[str]) -> None:
    assert names_and_urls(words) == (names, urls)


def test_shows_no_secret_of_a_url_that_was_read_in_another_way() -> None:
    token = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH"
    spec = spec_of({"url": f"s3a://bucket/path?token={token}", "adapters": {"style": f"hf:/org/{token}"}})
    assert token in spec.url
    assert token not in repr(spec) + repr(spec.inferred)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("olama://smollm2:135m", "ollama://smollm2:135m"),
        ("hff://org/model", "hf://org/model"),
        ("hugingface://org/model", "hf://org/model"),
        ("pcv://claim/path", "pvc://claim/path"),
        ("gs//bucket/path", "gs://bucket/path"),
        ("s3n://bucket/path", "s3://bucket/path"),
        ("https://weights.s3.eu-west-1.amazonaws.com/tiny/1?versionId=x", "s3://weights/tiny/1"),
        ("https://s3.amazonaws.com/weights/tiny", "s3://weights/tiny"),
        ("https://storage.googleapis.com/weights/tiny", "gs://weights/tiny"),
        ("https://weights.oss-eu-central-1.aliyuncs.com/tiny", "oss://weights/tiny"),
    ],
)
def test_names_the_url_that_a_wrong_scheme_means(typed, meant):
    (notice,) = [notice for notice in draft_of({"url": typed}).errors if notice.field == "url"]
    assert str(notice).endswith(f'has no scheme that KubeAI knows. Did you mean "{meant}"?')


def test_has_a_name_of_ollamas_library_as_its_fix():
    (notice,) = [notice for notice in draft_of({"url": "all-minilm"}).errors if notice.field == "url"]
    assert notice.remedies[0].changes == (SetField(name="url", value="ollama://all-minilm"),)


@pytest.mark.parametrize("typed", ["az://account/x", "docker://image", "https://example.com/x.bin", "ftp://a/b"])
def test_lists_the_schemes_where_none_is_near(typed):
    assert "Start it with hf://" in str(draft_of({"url": typed}).errors[0])
