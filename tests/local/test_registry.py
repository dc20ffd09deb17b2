"""Models pulled from Ollama's registry, and those that an ``ollama`` of this machine holds."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.ollama_names import manifest_of, parse_name
from kubeai_notebook.local.weights import Weights, web
from tests.support.http_server import Answer, HttpServer
from tests.support.registry import Registry, write_store

if TYPE_CHECKING:
    from pathlib import Path

GGUF = b"GGUF" + bytes(range(256)) * 4096
OTHER = b"GGUF" + bytes(range(256))
NAME = "library/tiny:1b"
URL = "ollama://tiny:1b"


@pytest.fixture
def registry():
    with Registry() as registry:
        registry.add(NAME, model=GGUF, params=b'{"stop": ["<|end|>"]}', template=b"{{ .Prompt }}", license=b"MIT")
        yield registry


@pytest.fixture
def environment(registry, tmp_path):
    """A daemon's environment with that registry and a home without a store."""
    return {**os.environ, "OLLAMA_REGISTRY": registry.address, "HOME": str(tmp_path / "home"), "OLLAMA_MODELS": ""}


def weights_of(cache, environment):
    return Weights(cache, mapped={}, environment=environment, packages={})


def pulled(cache, environment, url=URL):
    """The model's file, how far it was told to be, and what else was told."""
    progress, told = [], []

    async def pull():
        report = lambda *done: progress.append(done)  # noqa: E731 - one line, used below only
        return await weights_of(cache, environment).fetch(url, report, say=told.append, note=told.append)

    return model_in(asyncio.run(pull())), progress, told


def model_in(manifest: Path) -> Path:
    """The model's file beside a manifest, in a store of Ollama's shape."""
    (layer,) = manifest_of(manifest.read_bytes()).of("model")
    return manifest.parents[4] / "blobs" / layer.file


def failure(cache, environment, url=URL):
    with pytest.raises(LocalError) as refused:
        pulled(cache, environment, url)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_pulls_what_llamacpp_takes_and_nothing_else(tmp_path, environment, registry):
    path, progress, _ = pulled(tmp_path / "cache", environment)
    assert path.read_bytes() == GGUF
    total = len(GGUF) + len(b'{"stop": ["<|end|>"]}')
    assert progress[-1] == (total, total)
    assert len(registry.files.received) == 2


def test_asks_nobody_for_what_is_here(tmp_path, environment, registry):
    pulled(tmp_path / "cache", environment)
    registry.registry.received.clear()
    assert weights_of(tmp_path / "cache", environment).present(URL)
    _, progress, _ = pulled(tmp_path / "cache", environment)
    assert (progress, registry.registry.received) == ([], [])


def test_goes_on_where_a_download_was_cut(tmp_path, environment, registry):
    registry.cut_after_bytes = [len(GGUF) // 2]
    path, _, told = pulled(tmp_path / "cache", environment)
    assert path.read_bytes() == GGUF
    assert [request.headers.get("Range") for request in registry.files.received][:2] == [
        None,
        f"bytes={len(GGUF) // 2}-",
    ]
    assert told == ['The download of "tiny:1b" broke off after 1 MB and goes on.']


def test_says_how_far_it_is_while_the_registry_pauses(tmp_path, environment, registry):
    seen, half = threading.Event(), len(GGUF) // 2

    def sent():
        yield GGUF[:half]
        assert seen.wait(20)
        yield GGUF[half:]

    def report(done, total):
        if done == half:
            seen.set()

    registry.add(NAME, model=GGUF)
    registry.files.answer = lambda request: Answer(sent())
    path = asyncio.run(weights_of(tmp_path / "cache", environment).fetch(URL, report))
    assert seen.is_set()
    assert model_in(path).read_bytes() == GGUF


def test_goes_on_after_a_restart_of_the_daemon(tmp_path, environment, registry):
    registry.cut_after_bytes, registry.refused_after = [1000], 1
    assert "pull model manifest" in failure(tmp_path / "cache", environment)
    registry.refused_after = None
    registry.files.received.clear()
    path, _, told = pulled(tmp_path / "cache", environment)
    assert path.read_bytes() == GGUF
    assert registry.files.received[0].headers["Range"] == "bytes=1000-"
    assert told == ['"tiny:1b" goes on after 0 MB that were here.']


def test_begins_anew_near_the_end_where_a_server_knows_no_ranges(tmp_path, environment, registry):
    registry.cut_after_bytes, registry.ranges = [len(GGUF) - 10], False
    path, _, _ = pulled(tmp_path / "cache", environment)
    assert path.read_bytes() == GGUF


def test_takes_no_file_of_its_store_without_its_checksum(tmp_path, environment):
    layer = write_store(tmp_path / "other", "h/n/m/t", {"model": GGUF}) or next((tmp_path / "other/blobs").iterdir())
    blobs = tmp_path / "cache/ollama/blobs"
    blobs.mkdir(parents=True)
    (blobs / layer.name).write_bytes(b"X" + GGUF[1:])
    path, _, _ = pulled(tmp_path / "cache", environment)
    assert path.name == layer.name
    assert path.read_bytes() == GGUF


def test_begins_anew_where_a_server_knows_no_ranges(tmp_path, environment, registry):
    registry.cut_after_bytes, registry.ranges = [1000], False
    path, progress, _ = pulled(tmp_path / "cache", environment)
    assert path.read_bytes() == GGUF
    assert progress[-1][0] == progress[-1][1]


def test_tells_of_a_wrong_checksum_and_fetches_again(tmp_path, environment, registry):
    registry.wrong = 1
    path, _, told = pulled(tmp_path / "cache", environment)
    assert path.read_bytes() == GGUF
    assert len(told) == 1
    assert told[0].startswith(f'Weights "{URL}" are damaged (sha256 ')
    assert told[0].endswith(") and are fetched again")


def test_gives_up_after_a_second_wrong_checksum(tmp_path, environment, registry):
    registry.wrong = 2
    message = failure(tmp_path / "cache", environment)
    assert message.startswith('"tiny:1b" did not arrive as its registry lists it: sha256 ')
    assert not list((tmp_path / "cache").rglob("*-partial"))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (404, 'pull model manifest: file does not exist. Ollama\'s registry has no model "new:7b".'),
        (412, 'pull model manifest: 412. "new:7b" needs an Ollama newer than what this machine can do.'),
        (401, 'pull model manifest: 401. Ollama\'s registry wants a login for "new:7b", and none is sent from here.'),
        (503, 'pull model manifest: 503. Ollama\'s registry did not answer for "new:7b" as it should.'),
    ],
)
def test_explains_what_the_registry_refuses(tmp_path, environment, registry, status, sentence):
    registry.statuses["library/new:7b"] = status
    assert failure(tmp_path / "cache", environment, "ollama://new:7b") == sentence


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ({"tensor": b"x"}, "is not one GGUF file, and llama.cpp, which runs models on this"),
        ({"model": OTHER, "adapter": b"x"}, "is an adapter over other weights, which llama.cpp here"),
        ({"license": b"x"}, "has no weights in Ollama's registry: it runs in Ollama's cloud only."),
    ],
)  # fmt: skip
def test_refuses_another_format_in_one_sentence(tmp_path, environment, registry, layers, sentence):
    registry.add("library/odd:latest", **layers)
    assert failure(tmp_path / "cache", environment, "ollama://odd").startswith(f'"odd" {sentence}')
    assert registry.files.received == []


def test_explains_that_the_registry_cannot_be_reached(tmp_path, environment):
    message = failure(tmp_path / "cache", environment | {"OLLAMA_REGISTRY": "http://me:hunter2@127.0.0.1:9"})
    assert message.startswith('Could not reach Ollama\'s registry to fetch "tiny:1b": ')
    assert "Connection refused" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("ollama://me/tiny", "me/tiny:latest"),
        ("ollama://hf.co/org/tiny-GGUF:Q4_K_M", "org/tiny-GGUF:Q4_K_M"),
        ("ollama://{host}/me/own:2?insecure=true", "me/own:2"),
    ],
)
def test_takes_namespaces_the_hub_and_other_hosts(tmp_path, environment, registry, url, name):
    registry.add(name, model=OTHER)
    host = registry.address.partition("://")[2]
    given = environment | {"HF_ENDPOINT": registry.address}
    assert pulled(tmp_path / "cache", given, url.format(host=host))[0].read_bytes() == OTHER


@pytest.mark.parametrize("name", ["../../x", "a/../b", ".hidden", "a:../../x", "me@host/x/y"])
def test_makes_no_path_of_an_odd_name(name):
    with pytest.raises(LocalError, match="is no name of Ollama's"):
        parse_name(name)


def snapshot(folder):
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


def test_uses_what_ollama_holds_and_writes_nothing_there(tmp_path, environment, registry):
    store = tmp_path / "home/.ollama/models"
    write_store(store, "registry.ollama.ai/library/tiny/1b", {"model": OTHER})
    before = snapshot(store)
    path, progress, _ = pulled(tmp_path / "cache", environment)
    assert path.read_bytes() == OTHER
    assert path.is_relative_to(store)
    assert (progress, registry.registry.received) == ([], [])
    assert snapshot(store) == before
    assert weights_of(tmp_path / "cache", environment).present(URL)


def test_fetches_what_ollama_holds_damaged_and_leaves_it_alone(tmp_path, environment, registry):
    store = tmp_path / "models"
    write_store(store, "registry.ollama.ai/library/tiny/1b", {"model": GGUF})
    (blob,) = (store / "blobs").iterdir()
    blob.write_bytes(b"X" + GGUF[1:])
    before = snapshot(store)
    path, _, told = pulled(tmp_path / "cache", environment | {"OLLAMA_MODELS": str(store)})
    assert path.read_bytes() == GGUF
    assert path.is_relative_to(tmp_path / "cache")
    assert "are damaged" in told[0]
    assert snapshot(store) == before


def test_fetches_again_what_was_damaged_in_our_own_store(tmp_path, environment):
    path, _, _ = pulled(tmp_path / "cache", environment)
    path.write_bytes(GGUF[:100])
    path, _, told = pulled(tmp_path / "cache", environment)
    assert path.read_bytes() == GGUF
    assert "are damaged" in told[0]


def test_fetches_nothing_where_the_url_forbids_it(tmp_path, environment, registry):
    message = failure(tmp_path / "cache", environment, f"{URL}?pull=false")
    assert "is not on this machine, and pull=false in its url keeps it from being fetched" in message
    assert registry.registry.received == []


def test_sends_no_login_anywhere(tmp_path, environment, registry):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login me password hunter2")
    (home / ".netrc").chmod(stat.S_IRUSR)
    pulled(tmp_path / "cache", environment | {"HF_TOKEN": "hf_secret"})
    sent = [*registry.registry.received, *registry.files.received]
    assert sent
    assert not [
        request for request in sent if "authorization" in str(request).lower() or "cookie" in str(request).lower()
    ]


@pytest.mark.parametrize("target", ["http://{host}", "http://localhost:{port}", "http://[::ffff:127.0.0.1]:{port}"])
def test_follows_no_redirect_from_a_public_host_to_this_machine(tmp_path, environment, target):
    asked = []

    def answer(request):
        # A proxy is asked with the whole address: so it can stand for a public host.
        asked.append(request.path)
        inside = target.format(host=proxy.address.partition("://")[2], port=proxy.port)
        return Answer(status=307, headers={"Location": f"{inside}/metrics"}) if "8.8.8.8" in request.path else Answer()

    with HttpServer(answer) as proxy:
        given = environment | {"OLLAMA_REGISTRY": "http://8.8.8.8", "http_proxy": proxy.address, "no_proxy": ""}
        message = failure(tmp_path / "cache", given)
    assert message.startswith("pull model manifest: 307.")
    assert asked == ["http://8.8.8.8/v2/library/tiny/manifests/1b"]


@pytest.mark.parametrize(
    ("old", "new", "follows"),
    [
        ("https://8.8.8.8/a", "https://8.8.4.4/b", True),
        ("http://8.8.8.8/a", "https://8.8.8.8/b", True),
        ("https://8.8.8.8/a", "http://8.8.8.8/a", False),
        ("https://8.8.8.8/a", "https://169.254.169.254/latest", False),
        ("https://8.8.8.8/a", "https://10.1.2.3/", False),
        ("https://8.8.8.8/a", "https://2130706433/", False),
        ("https://8.8.8.8/a", "https://[::1]/", False),
        ("https://8.8.8.8/a", "https://0.0.0.0/", False),
        ("http://127.0.0.1:1/a", "http://127.0.0.1:2/b", True),
        ("http://10.1.2.3/a", "http://127.0.0.1:2/b", False),
        ("http://10.1.2.3/a", "http://169.254.169.254/b", False),
        ("http://10.1.2.3/a", "http://10.1.2.4/b", True),
        ("http://127.0.0.1/a", "http://169.254.169.254/b", False),
    ],
)
def test_follows_redirects_that_lead_no_further_inside(old, new, follows):
    assert web.may_follow(old, new) is follows


def odd_manifest(path, content):
    if content == "fifo":
        os.mkfifo(path)
    elif content == "device":
        path.symlink_to("/dev/zero")
    elif content == "long":
        path.write_bytes(path.with_name("good").read_bytes() + b" " * (1 << 20))
    else:
        path.write_text(content)


LAYER = '{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:%s","size":1e999}]}'


@pytest.mark.parametrize("content", ["fifo", "long", "[" * 200_000, LAYER % ("a" * 64), "[]", "{}", "5", "device"])
def test_skips_what_it_cannot_read_of_anothers_store(tmp_path, environment, content):
    write_store(tmp_path / "models", "registry.ollama.ai/library/tiny/good", {"model": OTHER})
    odd_manifest(tmp_path / "models/manifests/registry.ollama.ai/library/tiny/odd", content)
    weights = weights_of(tmp_path / "cache", environment | {"OLLAMA_MODELS": str(tmp_path / "models")})
    assert [listed.url for listed in weights.listing()] == ["ollama://tiny:good"]
    assert weights.present("ollama://tiny:odd") is None
