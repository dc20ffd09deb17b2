"""What can be served: known models, the machine's own list, and both beside the Models that are there."""

import json
from dataclasses import replace

import pytest

from kubeai_notebook.core.catalog.known import KNOWN
from kubeai_notebook.core.catalog.machine import (
    Machine,
    MachineCatalog,
    MachineModel,
    fit_of,
    machine_catalog_of,
    never_fits,
)
from kubeai_notebook.core.catalog.offers import matching, offers_of, urls_of
from kubeai_notebook.core.memory import memory_of
from kubeai_notebook.core.near_urls import misspelt_url
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.errors import SpecError

GB = 1_000_000_000
LAPTOP = Machine(memory_bytes=8 * GB, free_memory_bytes=3 * GB, free_disk_bytes=4 * GB)
SMOL = "ollama://smollm2:135m"


def by_url(offers):
    return {offer.url: offer for offer in offers}


def model(name, url, **spec):
    return {
        "metadata": {"name": name},
        "spec": {"url": url, "engine": "OLlama", "features": ["TextGeneration"], **spec},
    }


@pytest.mark.parametrize("known", KNOWN.values(), ids=str)
def test_knows_models_that_a_spec_can_be_made_of(known):
    spec = spec_of({"url": known.url, "features": [known.feature]})
    assert spec.url == known.url
    assert known.url.startswith("ollama://") == (known.engine == "OLlama")
    assert known.size_bytes is None or 10**7 < known.size_bytes < 10**11


def test_knows_many_small_models_of_both_kinds_with_their_sizes():
    small = [known for known in KNOWN.values() if known.size_bytes and known.size_bytes < 2.5 * GB]
    assert len(small) >= 30
    assert len([known for known in small if known.feature == "TextEmbedding"]) >= 10
    assert {known.url.scheme for known in small} == {"hf", "ollama"}


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("ollama://smolm2:135m", SMOL),
        ("ollama://smollm2:135mm", SMOL),
        ("ollama://llama3.2:1", "ollama://llama3.2:1b"),
        ("ollama://lama3.2:1b", "ollama://llama3.2:1b"),
        ("ollama://nomic-embed-txt", "ollama://nomic-embed-text"),
        ("hf://Qwen/Qwen2.5-0.5B-Instrct", "hf://Qwen/Qwen2.5-0.5B-Instruct"),
    ],
)
def test_finds_the_url_that_was_meant(typed, near):
    assert misspelt_url(typed, KNOWN) == near


@pytest.mark.parametrize(
    "url",
    ["ollama://mixtral:8x7b", "ollama://gemma3n", "ollama://qwen3:14b", "ollama://phi3", "ollama://codellama",
     "ollama://mistral-nemo", "ollama://all-minilm:33m", "ollama://smollm2:1350m",
     "ollama://qwen3:8b-q4_K_M", "ollama://gemma3:e4b", "ollama://llama3.2:1m",
     "hf://Qwen/Qwen2.5-VL-3B-Instruct", "hf://a/b", "", "x://",
     "hf://BAAI/bge-small-zh-v1.5", "hf://TinyLlama/TinyLlama-1.1B-Chat-v0.3", SMOL],
)  # fmt: skip
def test_takes_a_name_of_its_own_for_no_slip(url):
    assert misspelt_url(url, KNOWN) == ""


def test_says_whether_there_is_room_and_what_lacks():
    assert fit_of(GB, LAPTOP, here=False) == (True, "")
    fits, why = fit_of(int(3.3 * GB), LAPTOP, here=False)
    assert (fits, why) == (False, "about 4.0 GB of memory needed, 3.0 GB of 8.0 GB free")
    assert fit_of(5 * GB, LAPTOP, here=False) == (False, "5.0 GB to download, 4.0 GB of disk free")
    assert "memory" in fit_of(5 * GB, LAPTOP, here=True)[1]
    assert fit_of(None, LAPTOP, here=False)[0] is None


def test_does_not_know_what_a_gpu_has_room_for():
    gpu = Machine(memory_bytes=8 * GB, free_memory_bytes=GB, free_disk_bytes=90 * GB, accelerator="GPU")
    assert fit_of(2 * GB, gpu, here=False)[0] is None
    assert never_fits(20 * GB, gpu) == ""


def test_calls_impossible_only_what_no_closed_program_makes_possible():
    assert never_fits(int(3.3 * GB), LAPTOP) == ""
    roomy = replace(LAPTOP, free_disk_bytes=90 * GB)
    assert never_fits(7 * GB, roomy) == "It needs about 8.5 GB of memory, and this machine has 8.0 GB in all."
    assert never_fits(7 * GB, LAPTOP) == "It takes 7.0 GB of disk, and 4.0 GB are free on this machine."


def test_lists_what_lies_here_first_and_what_has_no_room_last():
    here = MachineModel(url=SMOL, title="SmolLM2.gguf", size_bytes=98_000_000, here=True, fits=True)
    small = MachineModel(url="ollama://qwen3:0.6b", size_bytes=523_000_000, fits=True, known=True)
    large = MachineModel(url="ollama://qwen3:8b", size_bytes=GB, fits=False, why="no room", known=True)
    offers = offers_of((), MachineCatalog(LAPTOP, (large, small, here)))
    assert [offer.url for offer in (*offers[:2], offers[-1])] == [SMOL, small.url, large.url]
    assert (offers[0].source, offers[0].size_bytes, offers[0].engine) == ("this machine", 98_000_000, "OLlama")
    assert {offer.source for offer in offers[1:]} == {"known"}
    assert len({offer.url for offer in offers}) == len(offers)


def test_names_the_models_that_serve_a_url_already():
    models = [model("a", SMOL), model("b", SMOL), model("own", "s3://bucket/x", engine="VLLM")]
    offers = by_url(offers_of(models, None))
    assert (offers[SMOL].model, offers[SMOL].source) == ("a, b", "cluster")
    assert (offers["s3://bucket/x"].engine, offers["s3://bucket/x"].fits) == ("VLLM", None)
    assert {offer.fits for offer in offers.values()} == {None}


def test_offers_no_url_for_a_line_that_would_act_there_or_holds_a_login():
    urls = [
        "s3://b/x?token=abcdefgh12345678",
        "hf://a/b?{secret}",
        "ollama://x --yes",
        "hf://a/'b",
        "hf://$b",
        "",
        "hf://a\n",
    ]
    models = [model("m", url) for url in urls]
    assert set(urls_of(offers_of(models, None))) == set(KNOWN)


def test_finds_by_words_and_feature():
    offers = offers_of([model("mine", SMOL)], None)
    assert {offer.url for offer in matching(offers, "qwen3 0.6b")} == {"ollama://qwen3:0.6b", "hf://Qwen/Qwen3-0.6B"}
    assert [offer.url for offer in matching(offers, "MINE")] == [SMOL]
    assert {offer.features for offer in matching(offers, feature="embed")} == {("TextEmbedding",)}
    assert matching(offers, "no such model") == ()
    with pytest.raises(SpecError, match=r"no feature .*Did you mean \"TextEmbedding\""):
        matching(offers, feature="TextEmbeding")


def test_leaves_out_what_cannot_run_with_what_has_no_room():
    lacking = [MachineModel(url=url, lacks=url == SMOL, why="needs a converter") for url in (SMOL, "ollama://own:1")]
    offers = offers_of([], MachineCatalog(LAPTOP, tuple(lacking)))
    assert {offer.url for offer in matching(offers, fits=True)} == {offer.url for offer in offers} - {SMOL}
    assert offers[-1].url == SMOL


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "1", "[" * 100_000, '{"machine": 1, "models": {}}', '{"models": [1, null, {"url": 2}]}',
     '{"machine": {"memory_bytes": "x", "free_memory_bytes": -1, "free_disk_bytes": 1e400}}'],
)  # fmt: skip
def test_leaves_out_what_has_another_shape(text):
    assert machine_catalog_of({"data": {"catalog.json": text}}) == MachineCatalog()


def test_reads_what_the_daemon_says():
    room = {"memory_bytes": 8 * GB, "free_memory_bytes": 3 * GB, "free_disk_bytes": 4 * GB, "accelerator": None}
    entry = {"url": SMOL, "title": "t", "features": ["TextGeneration", 3], "bytes": 98, "memory_bytes": 2**53,
             "here": True, "fits": "yes", "why": ""}  # fmt: skip
    read = machine_catalog_of({"data": {"catalog.json": json.dumps({"machine": room, "models": [entry]})}})
    assert read.machine == LAPTOP
    assert read.models == (
        MachineModel(url=SMOL, title="t", features=("TextGeneration",), size_bytes=98, here=True, fits=None),
    )


def test_estimates_memory_near_what_was_measured():
    for weights, measured in ((93e6, 194e6), (253e6, 360e6)):
        assert 0.9 < memory_of(int(weights)) / measured < 1.15
