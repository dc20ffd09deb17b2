"""What went wrong on one's own machine is told of that machine: there is no cluster, no node and no admin."""

import re
from dataclasses import replace

import pytest

from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.remedy import SetField

from .scenes import NOW, container, crash, crashed, log, model, pod, seen

OF_A_CLUSTER = re.compile(
    r"(the|this) cluster\b|\bcontainer\b|\bnodes?\b|\bimage\b|\badmin\b|\bvolume|pvc://|env\.H", re.I
)
FETCHED = 'Could not fetch "hf://org/repo": '
CASES = [
    (
        "SourceUnreachable",
        FETCHED + "ConnectionError: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded "
        "(Caused by NewConnectionError: [Errno 111] Connection refused)",
    ),
    (
        "SourceUnreachable",
        FETCHED + "ConnectionError: HTTPSConnectionPool(host='hub.test', port=443): name resolution failed",
    ),
    ("SourceUnreachable", FETCHED + "LocalEntryNotFoundError: An error happened while trying to locate the file"),
    ("TlsCertificate", FETCHED + "SSLError: host='huggingface.co' CERTIFICATE_VERIFY_FAILED certificate verify failed"),
    ("ProxyUnreachable", FETCHED + "ProxyError: Unable to connect to proxy, host='proxy', port=3128): failed"),
    ("GatedModelNoToken", FETCHED + "GatedRepoError: You must have access to it and be authenticated to access it."),
    ("HubTokenInvalid", FETCHED + "401 Invalid credentials in Authorization header"),
    ("HubRateLimited", FETCHED + "429 Client Error: Too Many Requests for url: https://huggingface.co/api"),
    ("CloudCredentialsMissing", 'Could not fetch "s3://bucket/x": NoCredentialsError: Unable to locate credentials'),
    ("DestinationNotWritable", FETCHED + "PermissionError: [Errno 13] Permission denied: '/srv/weights'"),
    ("DiskFull", FETCHED + "OSError: [Errno 28] No space left on device"),
    (
        "MaxModelLenTooLargeForKvCache",
        "Error: A context of 9000000 tokens needs 207.4 GB of cache, and 21.0 GB of memory are left beside the "
        "weights; --ctx-size=8192 fits.",
    ),
    ("UnsupportedArchitecture", "llama_model_load: error loading model: unknown model architecture: 'newest'"),
    ("CpuLacksInstructions", "Illegal instruction (core dumped)"),
]


def here(text, **more):
    return diagnose(replace(crash(text, **more), this_machine=True), now=NOW)


@pytest.mark.parametrize(("code", "text"), CASES)
def test_speaks_of_this_machine_to_who_can_act_there(code, text):
    finding, *_ = here(text)
    told = [finding.message, *(remedy.title for remedy in finding.remedies)]
    told += [remedy.command.line for remedy in finding.remedies if remedy.command]
    assert finding.code == code
    assert finding.who in ("user", "nobody")
    assert finding.remedies
    assert [words for words in told if OF_A_CLUSTER.search(words)] == []


@pytest.mark.parametrize("setting", ["--ctx-size", "--max-model-len"])
def test_sets_the_context_that_fits_where_it_was_asked_for(setting):
    needs = "A context of 9 tokens needs 23.0 TB of cache, and"
    finding, *_ = here(f"Error: {needs} 1 MB of memory are left beside the weights; {setting}=512 fits.")
    assert finding.message == f"{needs} this machine has 1 MB left beside the weights."
    assert finding.remedies[0].title == f"Set {setting}=512."


def test_says_what_may_have_killed_an_engine_here():
    finding, *_ = here("loading", exit_code=137)
    assert finding.message == 'The engine of "m" was killed from outside (137): this machine may be short of memory.'
    assert finding.remedies[0].title.startswith("Close what takes memory")


TOO_LONG = (
    "llama.cpp with 2 threads, 999999 tokens of context for one request at a time (the model knows 8192): 23040 MB "
    "beside 98 MB of weights; 18330 MB are free. That may be more than this machine holds. No GPU that this build of "
    "llama.cpp can use."
)
"""What the engine writes before it loads."""


SMOL = {"url": "ollama://smollm2:135m", "engine": "OLlama"}


@pytest.mark.parametrize(
    ("args", "line", "fix", "after"),
    [
        (["--ctx-size", "999999"], TOO_LONG, "Set --ctx-size=8192.", ["--ctx-size=8192"]),
        (["-c", "999999"], TOO_LONG, "Set --ctx-size=8192.", ["--ctx-size=8192"]),
        (["--max-model-len=999999"], TOO_LONG, "Set --max-model-len=8192.", ["--max-model-len=8192"]),
        (
            ["--ctx-size=999999"],
            TOO_LONG.replace("8192", "131072").replace("18330", "2248"),
            "Set --ctx-size=86528.",
            ["--ctx-size=86528"],
        ),
    ],
)
@pytest.mark.parametrize("reason", ["Error", "OOMKilled"])
def test_shortens_the_context_that_had_an_engine_killed(args, line, fix, after, reason):
    made = model(**SMOL, args=args)
    killed = seen(made, crashed(exit_code=137, reason=reason), logs=[log(line, previous=True)], this_machine=True)
    finding, *_ = diagnose(killed, now=NOW)
    assert finding.code == "MaxModelLenTooLargeForKvCache"
    assert finding.message.startswith('The engine of "m" was killed: a context of 999999 tokens needs 23.0 GB of cache')
    assert finding.remedies[0].title == fix
    assert finding.remedies[0].patch(made) == {"spec": {"args": after}}
    assert not any("smaller model" in remedy.title for remedy in finding.remedies)


def loading(*args, **more):
    """An engine that loads its model, and has written how much its context takes."""
    made, one = model(**SMOL, args=list(args)), pod("model-m-abc-1", container(running=True, **more))
    return diagnose(seen(made, one, logs=[log(TOO_LONG)], this_machine=True), now=NOW)


def test_says_while_it_loads_that_the_context_may_be_too_long():
    (finding,) = loading("--ctx-size=999999")
    assert finding.message == (
        "A context of 999999 tokens needs 23.0 GB of cache, and this machine had 18.3 GB free when the engine began to "
        "load: it may be killed for that."
    )
    (again,) = loading("--ctx-size=999999", exit_code=137)
    assert again.message.startswith('The engine of "m" was killed: a context of 999999 tokens')
    assert loading() == ()  # nobody asked for it, so there is nothing to take back


@pytest.mark.parametrize("hidden", ["999999", "8192", "23040", "18330"])
def test_reckons_with_no_number_that_is_a_secret(hidden):
    made = model(**SMOL, args=["--ctx-size=999999"], env={"HF_TOKEN": hidden})
    finding, *_ = here(TOO_LONG, exit_code=137, model_=made)
    assert finding.code == "Killed"


def test_names_the_context_where_the_engine_was_given_no_memory_for_it():
    refused = f"{TOO_LONG}\nggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 24159191040"
    finding, *_ = here(refused, model_=model(**SMOL, args=["--ctx-size=999999"]))
    assert finding.message.startswith('The engine of "m" ended: a context of 999999 tokens')


@pytest.mark.parametrize(
    ("text", "exit_code", "code"),
    [
        (f"{TOO_LONG}\nunknown model architecture: 'newest'", 1, "UnsupportedArchitecture"),
        (TOO_LONG, 1, "Unknown"),
        # Not even a short one fits: the weights are what is too large.
        (TOO_LONG.replace("18330", "200"), 137, "Killed"),
    ],
)
def test_blames_no_context_for_what_ended_of_something_else(text, exit_code, code):
    finding, *_ = here(text, exit_code=exit_code, model_=model(**SMOL, args=["--ctx-size=999999"]))
    assert finding.code == code


UNREACHED = {
    "ollama://{}": 'Error: Could not reach Ollama\'s registry to fetch "{}": [Errno -2] Name or service not known.',
    "hf://HuggingFaceTB/{}": FETCHED + "ConnectionError: HTTPSConnectionPool(host='huggingface.co', port=443): Max "
    "retries exceeded (Caused by NewConnectionError: [Errno 111] Connection refused)",
}


@pytest.mark.parametrize(
    ("url", "wrong", "right"),
    [
        ("ollama://{}", "smolm2:135m", "smollm2:135m"),
        ("ollama://{}", "smollm2:135mm", "smollm2:135m"),
        ("hf://HuggingFaceTB/{}", "SmolLM2-135M-Instrct", "SmolLM2-135M-Instruct"),
    ],
)
def test_sets_the_known_url_first_where_a_misspelt_one_cannot_be_asked_for(url, wrong, right):
    text, meant, engine = UNREACHED[url].format(wrong), url.format(right), "OLlama" if "ollama" in url else "VLLM"
    finding, *_ = here(text, model_=model(url=url.format(wrong), engine=engine))
    assert finding.code in ("RegistryUnreachable", "SourceUnreachable")
    assert finding.remedies[0].title == f"Did you mean {meant}? Set url to it."
    assert finding.remedies[0].changes == (SetField(name="url", value=meant),)
    finding, *_ = here(text, model_=model(url=meant, engine=engine))
    assert not any(remedy.changes for remedy in finding.remedies)


def test_still_tells_a_clusters_user_who_acts_there():
    (_, text), *_ = CASES
    finding, *_ = diagnose(crash(text), now=NOW)
    assert finding.message == "huggingface.co cannot be reached from the cluster."
    assert finding.who == "admin"
    assert "pvc://" in finding.remedies[-1].title
