from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.machine import Memory
from kubeai_notebook.local.weights import Weights
from kubeai_notebook.local.weights.progress import watched
from kubeai_notebook.local.weights.s3 import from_s3
from tests.support.http_server import Answer, HttpServer
from tests.support.hub import SECRET, Hub

GGUF = b"GGUF" + bytes(range(256)) * 2048
ADAPTER = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"tensors"}
REPOSITORIES = {
    "me/tiny": {"tiny.gguf": GGUF, "README.md": b"hello"},
    "me/two": {"a.gguf": GGUF, "b.gguf": b"GGUF"},
    "me/lora": ADAPTER,
    "me/pickled": {"pytorch_model.bin": b"x", "config.json": b"{}"},
    "me/gated": {"tiny.gguf": GGUF},
    "me/broken": {"tiny.gguf": GGUF},
    "me/many": {
        "m-Q8_0.gguf": GGUF,
        "m-Q4_0.gguf": GGUF[:500],
        "m-q4_k_m-00001-of-00002.gguf": GGUF[:300],
        "m-q4_k_m-00002-of-00002.gguf": GGUF[300:600],
        "m-Q2_K-00001-of-00002.gguf": b"the second part is missing",
        "mmproj-m-F16.gguf": b"GGUF",
    },
}


@pytest.fixture
def hub(tmp_path):
    """A hub on loopback; gives the environment of a Pod that uses it, and what it was asked for."""
    pytest.importorskip("huggingface_hub")
    hub = Hub(REPOSITORIES)
    hub.gated, hub.broken = {"me/gated"}, {"me/broken"}
    with HttpServer(hub) as server:
        environment = {"HF_ENDPOINT": server.address, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        yield environment, server


def fetched(cache, url, environment, *, kind="model", count=1, **options):
    told = []

    async def all_of_them():
        # The hub's address is the daemon's own; a Model brings logins, and the address of its store.
        weights = Weights(cache, mapped={}, environment={**os.environ, **environment}, **options)
        report = lambda done, total: told.append((done, total))  # noqa: E731 - one line, used below only
        return await asyncio.gather(
            *(weights.fetch(url, report, kind=kind, environment=environment) for _ in range(count))
        )

    return asyncio.run(all_of_them()), told


def failure(cache, url, environment, **options):
    with pytest.raises(LocalError) as refused:
        fetched(cache, url, environment, **options)
    assert "\n" not in str(refused.value)
    assert list(cache.glob("*.part")) == []
    return str(refused.value)


def test_fetches_the_one_gguf_file_of_a_repository_once_for_many(tmp_path, hub):
    environment, server = hub
    paths, told = fetched(tmp_path / "cache", "hf://me/tiny", environment, count=3)
    assert {path.read_bytes() for path in paths} == {GGUF}
    assert told[-1] == (len(GGUF), len(GGUF))
    assert len([request for request in server.received if request.path.startswith("/api/models")]) == 1
    assert not any("README" in request.path for request in server.received)


def test_needs_no_hub_for_what_is_in_its_cache(tmp_path, hub):
    environment, server = hub
    fetched(tmp_path / "cache", "hf://me/tiny", environment)
    server.received.clear()
    (path,), told = fetched(tmp_path / "cache", "hf://me/tiny", environment | {"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert path.read_bytes() == GGUF
    assert (told, server.received) == ([], [])


def test_takes_the_file_that_the_url_names(tmp_path, hub):
    message = failure(tmp_path / "cache", "hf://me/two", hub[0])
    assert message == "hf://me/two holds 2 .gguf files. Name one: hf://me/two/a.gguf."
    (path,), _ = fetched(tmp_path / "cache", "hf://me/two/b.gguf", hub[0])
    assert path.read_bytes() == b"GGUF"


@pytest.mark.parametrize(
    ("memory", "url", "size", "note"),
    [
        (
            10**9,
            "hf://me/many",
            300,
            "Of 3 GGUF models in hf://me/many, Q4_K_M is taken: m-q4_k_m-00001-of-00002.gguf.",
        ),
        (600, "hf://me/many", 500, "Of 3 GGUF models in hf://me/many, Q4_0 is taken: m-Q4_0.gguf."),
        (10, "hf://me/many", 500, "Of 3 GGUF models in hf://me/many, Q4_0 is taken: m-Q4_0.gguf."),
        (10**9, "hf://me/many:q8_0", len(GGUF), None),
        (10**9, "hf://me/many/m-Q8_0.gguf", len(GGUF), None),
    ],
)
def test_takes_the_quantization_that_fits_and_says_which(tmp_path, hub, memory, url, size, note):
    environment, notes = hub[0], []

    async def fetch():
        here = Memory(total_bytes=10**9, free_bytes=memory)
        given = {**os.environ, **environment}
        weights = Weights(tmp_path / "cache", mapped={}, environment=given, memory=lambda: here)
        return await weights.fetch(url, lambda *_: None, note=notes.append)

    path = asyncio.run(fetch())
    assert path.stat().st_size == size
    assert notes == ([note] if note else [])


def test_fetches_all_parts_of_a_split_file(tmp_path, hub):
    (path,), told = fetched(tmp_path / "cache", "hf://me/many:Q4_K_M", hub[0])
    assert path.name == "m-q4_k_m-00001-of-00002.gguf"
    assert path.with_name("m-q4_k_m-00002-of-00002.gguf").read_bytes() == GGUF[300:600]
    assert told[-1] == (600, 600)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("hf://me/many:Q5_K_M", "hf://me/many holds no .gguf files of Q5_K_M. It holds Q4_0, Q8_0, Q4_K_M."),
        ("hf://me/many/x.gguf", 'hf://me/many holds no file "x.gguf". It holds Q4_0, Q8_0, Q4_K_M.'),
    ],
)
def test_names_what_there_is_where_a_url_names_something_else(tmp_path, hub, url, sentence):
    assert failure(tmp_path / "cache", url, hub[0]) == sentence


def test_fetches_both_files_of_an_adapter(tmp_path, hub):
    (folder,), _ = fetched(tmp_path / "cache", "hf://me/lora", hub[0], kind="adapter")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == ADAPTER


def test_uses_the_token_of_the_pod_and_never_shows_it(tmp_path, hub):
    environment, _ = hub
    (path,), _ = fetched(tmp_path / "cache", "hf://me/gated", environment | {"HF_TOKEN": SECRET})
    assert path.read_bytes() == GGUF
    other = environment | {"HF_HOME": str(tmp_path / "other"), "HF_TOKEN": "hf_wrong"}
    message = failure(tmp_path / "cache", "hf://me/gated", other)
    assert "401 Client Error" in message
    assert "hf_wrong" not in message


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("hf://me/nothing", "Repository Not Found"),
        ("hf://me/pickled", "hf://me/pickled holds no .gguf file and no safetensors, and llama.cpp, which stands in"),
    ],
)
def test_explains_a_repository_it_cannot_use(tmp_path, hub, url, reason):
    assert reason in failure(tmp_path / "cache", url, hub[0])


def test_leaves_no_half_file_of_a_download_that_broke(tmp_path, hub):
    failure(tmp_path / "cache", "hf://me/broken", hub[0])
    assert list((tmp_path / "hf").rglob("tiny.gguf")) == []


def test_explains_that_the_hub_cannot_be_reached(tmp_path, hub):
    message = failure(tmp_path / "cache", "hf://me/tiny", hub[0] | {"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert message.startswith('Could not fetch "hf://me/tiny": ')
    assert "Connection refused" in message


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("hf://a/b", 'Other hf:// urls need huggingface_hub: pip install "kubeai-notebook[local]".'),
        ("s3://a/b", 'Other s3:// urls need boto3: pip install "kubeai-notebook[s3]".'),
    ],
)
def test_names_the_extra_that_is_missing(tmp_path, url, sentence):
    assert Weights(tmp_path, mapped={}, environment={}, installed=lambda _: False).lacking(url) == sentence


def test_asks_for_room_before_it_fetches(tmp_path):
    with (
        pytest.raises(LocalError, match=r"No space left on device: big needs 10{12} MB in .*, \d+ MB are free"),
        watched(tmp_path / "x", name="big", total=10**18),
    ):
        raise AssertionError("not reached")


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "versions",
    [("../../../../pwned", "c" * 40), ("{}/pwned", "c" * 40), ("e" * 64, "../../../pwned"), ("..", "c" * 40)],
)
def test_writes_nothing_where_a_hub_would_like_it(tmp_path, hub, versions):
    environment, server = hub
    server.answer.versions = tuple(text.format(tmp_path) for text in versions)
    assert "which is no name for a file" in failure(tmp_path / "cache", "hf://me/tiny", environment)
    assert not [name for name in files_in(tmp_path) if "pwned" in name or name.endswith((".gguf", ".incomplete"))]


@pytest.mark.parametrize(
    "report",
    ['{"done": 1}', '{"note": 5}', '{"damaged": "pwned"}', '{"done": 7, "total": "x"}', '{"path": "/etc/passwd"}'],
)
def test_takes_no_word_of_a_hub_for_its_own_report(tmp_path, hub, report):
    environment, server = hub
    answer, told = server.answer, []
    warning = {"X-HF-Warning": f"t; {report}"}
    server.answer = lambda request: dataclasses.replace(got := answer(request), headers={**got.headers, **warning})
    weights = Weights(tmp_path / "cache", mapped={}, environment={**os.environ, **environment})
    with pytest.raises(LocalError, match="Repository Not Found"):
        asyncio.run(weights.fetch("hf://me/none", lambda *done: told.append(done), say=told.append, note=told.append))
    assert told == []


def library(folder, code):
    """A huggingface_hub that runs this code when it is imported; the environment in which it is found."""
    (folder / "huggingface_hub").mkdir(parents=True)
    (folder / "huggingface_hub/__init__.py").write_text(code)
    return {"PYTHONPATH": str(folder), "HF_HOME": str(folder / "hf")}


@pytest.mark.parametrize(
    "code",
    [
        'print(\'{"path": "/etc/passwd"}\'); raise SystemExit(1)',
        'import os; os.write(1, b\'{"path": "/etc/passwd"}\\n\'); os._exit(0)',
        "import os, sys; os.write(1, b'x' * 3_000_000); os._exit(1)",
        "raise ValueError('x' * 3_000_000)",
        "import os; os._exit(3)",
    ],
)
def test_says_in_one_sentence_that_a_library_failed(tmp_path, code):
    message = failure(tmp_path / "cache", "hf://me/tiny", library(tmp_path / "lib", code))
    assert message.startswith(("Fetching ", "Could not fetch"))
    assert len(message) < 5000


def test_lets_no_hub_send_the_token_elsewhere(tmp_path):
    code = "import os; raise ValueError('xet is off: ' + os.environ['HF_HUB_DISABLE_XET'])"
    given = library(tmp_path / "lib", code) | {"HF_HUB_DISABLE_XET": "0"}
    assert "xet is off: 1" in failure(tmp_path / "cache", "hf://me/tiny", given)


def test_ends_a_download_that_is_larger_than_listed(tmp_path, hub):
    environment, server = hub
    answer = server.answer

    def endless(request):
        got = answer(request)
        if request.method == "HEAD" or not request.path.endswith(".gguf"):
            return got
        return Answer((bytes(1 << 20) for _ in range(300)), headers=got.headers)

    server.answer = endless
    message = failure(tmp_path / "cache", "hf://me/tiny", environment)
    assert message == "hf://me/tiny/tiny.gguf is larger than the hub lists it. Try again."
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 4 << 20


def test_asks_no_hub_that_a_model_names(tmp_path, hub):
    environment, server = hub
    other = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "others"), "https_proxy": "http://a:1"}
    weights = Weights(tmp_path / "cache", mapped={}, environment={**os.environ, **environment})
    path = asyncio.run(weights.fetch("hf://me/tiny", lambda *_: None, environment=other))
    assert path.is_relative_to(tmp_path / "hf")
    assert server.received
    assert not (tmp_path / "others").exists()


class Store:
    """A store that says what keys it likes; shadows boto3 in ``from_s3``."""

    def __init__(self, *keys):
        self.keys, self.downloads = keys, []

    def client(self, _):
        return self

    def get_paginator(self, _):
        return self

    def paginate(self, **_):
        return [{"Contents": [{"Key": key, "ETag": "e", "Size": 4} for key in self.keys]}]

    def download_file(self, bucket, key, path):
        self.downloads.append(path)
        Path(path).write_bytes(b"GGUF")


@pytest.mark.parametrize("key", ["models/../../pwned.gguf", "models/../../../pwned.gguf", "models/{}/pwned.gguf"])
def test_writes_nothing_where_a_store_would_like_it(tmp_path, monkeypatch, key):
    store = Store(key.format(tmp_path))
    monkeypatch.setitem(sys.modules, "boto3", store)
    part = tmp_path / "a/b/cache/x.part"
    part.mkdir(parents=True)
    with pytest.raises(LocalError, match="leads out of its folder"):
        from_s3("bucket/models", "model", part=part, doubted=False)
    assert store.downloads == []
    assert files_in(tmp_path) == []


def test_ends_a_file_of_a_store_that_is_larger_than_listed(tmp_path, monkeypatch):
    class Endless(Store):
        def download_file(self, bucket, key, path):
            with Path(path).open("wb") as file:
                for _ in range(5):
                    file.write(bytes(1 << 20))

    monkeypatch.setitem(sys.modules, "boto3", Endless("models/tiny.gguf"))
    part = tmp_path / "cache/x.part"
    part.mkdir(parents=True)
    with pytest.raises(LocalError, match="s3://bucket/models/tiny.gguf is larger than its store lists it"):
        from_s3("bucket/models", "model", part=part, doubted=False)


def test_takes_folders_of_a_store(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", Store("models/deep/tiny.gguf"))
    part = tmp_path / "cache/x.part"
    part.mkdir(parents=True)
    path = from_s3("bucket/models", "model", part=part, doubted=False)
    assert path.read_bytes() == b"GGUF"
    assert path.is_relative_to(tmp_path / "cache")


LOGIN_OF_THE_USERS = "[default]\naws_access_key_id = AKIAUSERS\naws_secret_access_key = x\naws_session_token = USERS\n"


def asked_of_a_store(tmp_path, own, server, *, outside=()):
    """What a store is sent for a Model with these variables, by a user who is logged in to AWS."""
    (tmp_path / "user/.aws").mkdir(parents=True)
    (tmp_path / "user/.aws/credentials").write_text(LOGIN_OF_THE_USERS)
    environment = {**os.environ, "HOME": str(tmp_path / "user"), **dict(outside)}
    weights = Weights(tmp_path / "cache", mapped={}, environment=environment)
    with pytest.raises(LocalError) as refused:
        asyncio.run(weights.fetch("s3://any/model", lambda *_: None, environment=own))
    return str(refused.value), "".join(map(str, server.received))


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_sends_a_store_that_a_model_names_no_login_of_the_users(tmp_path, name):
    pytest.importorskip("boto3")
    with HttpServer(lambda _: Answer(status=403)) as server:
        own = {name: server.address, "AWS_DEFAULT_REGION": "us-east-1"}
        said, sent = asked_of_a_store(tmp_path / "none", own, server)
        assert (sent, "Unable to locate credentials" in said) == ("", True)
        keys = {"AWS_ACCESS_KEY_ID": "AKIAMODELS", "AWS_SECRET_ACCESS_KEY": "x"}
        _, sent = asked_of_a_store(tmp_path / "own", own | keys, server)
    assert "Credential=AKIAMODELS/" in sent
    assert "USERS" not in sent


def test_sends_a_store_that_the_user_names_no_login_of_the_users_either(tmp_path):
    pytest.importorskip("boto3")
    with HttpServer(lambda _: Answer(status=403)) as server:
        outside = {"AWS_ENDPOINT_URL": server.address, "AWS_DEFAULT_REGION": "us-east-1"}
        said, sent = asked_of_a_store(tmp_path, {}, server, outside=outside)
    assert (sent, "Unable to locate credentials" in said) == ("", True)


@pytest.mark.parametrize("keys", [{}, {"AWS_ACCESS_KEY_ID": "AKIAMODELS", "AWS_SECRET_ACCESS_KEY": "x"}])
def test_tells_no_host_that_a_model_names_of_what_a_store_is_asked(tmp_path, keys):
    pytest.importorskip("boto3")
    with socket.socket(type=socket.SOCK_DGRAM) as told, HttpServer(lambda _: Answer(status=403)) as server:
        told.bind(("127.0.0.1", 0))
        told.setblocking(False)
        monitor = {"AWS_CSM_ENABLED": "true", "AWS_CSM_HOST": "127.0.0.1", "AWS_CSM_PORT": str(told.getsockname()[1])}
        outside = {"AWS_ENDPOINT_URL": server.address, "AWS_DEFAULT_REGION": "us-east-1"}
        asked_of_a_store(tmp_path, monitor | keys, server, outside=outside)
        with pytest.raises(BlockingIOError):
            told.recv(1 << 16)


@pytest.mark.parametrize("own", [{"AWS_ENDPOINT_URL": "http://minio"}, {"AWS_CSM_ENABLED": "true"}, {}])
def test_says_no_library_of_a_store_where_the_users_login_is(tmp_path, own):
    (tmp_path / "stand-in").mkdir()
    names = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_CSM_ENABLED")
    (tmp_path / "stand-in/boto3.py").write_text(
        f"import os\nraise RuntimeError('told', *map(os.environ.get, {names}))\n"
    )
    given = {**os.environ, "PYTHONPATH": str(tmp_path / "stand-in")}
    weights = Weights(tmp_path / "cache", mapped={}, environment=given, installed=lambda _: True)
    with pytest.raises(LocalError, match="'told', '/dev/null', '/dev/null', None"):
        asyncio.run(weights.fetch("s3://any/model", lambda *_: None, environment=own))


@pytest.fixture
def bucket(tmp_path):
    """An S3 store on loopback with one bucket; gives the environment of a Pod that uses it."""
    if find_spec("boto3") is None or find_spec("moto") is None:
        pytest.skip("boto3 and moto[server] are not installed (boto3 wants another python-dateutil than kubernetes)")
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    environment = {**keys, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    client = boto3.client(
        "s3", endpoint_url=environment["AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    client.create_bucket(Bucket="models")
    yield environment, client
    server.stop()


def test_fetches_from_s3_and_again_when_the_object_has_changed(tmp_path, bucket):
    environment, client = bucket
    client.put_object(Bucket="models", Key="tiny/tiny.gguf", Body=GGUF)
    client.put_object(Bucket="models", Key="tiny2/other.gguf", Body=b"GGUF")
    paths, told = fetched(tmp_path / "cache", "s3://models/tiny", environment, count=3)
    assert {path.read_bytes() for path in paths} == {GGUF}
    assert told[-1] == (len(GGUF), len(GGUF))
    assert fetched(tmp_path / "cache", "s3://models/tiny/", environment) == (paths[:1], [])
    client.put_object(Bucket="models", Key="tiny/tiny.gguf", Body=b"GGUF2")
    (path,), _ = fetched(tmp_path / "cache", "s3://models/tiny/tiny.gguf", environment)
    assert path.read_bytes() == b"GGUF2"


def test_explains_what_s3_says(tmp_path, bucket):
    environment, _ = bucket
    assert "NoSuchBucket" in failure(tmp_path / "cache", "s3://nothing/x", environment)
    assert "s3://models/x holds no .gguf file and no safetensors" in failure(
        tmp_path / "cache", "s3://models/x", environment
    )
    nobody = {**environment, "AWS_ACCESS_KEY_ID": "", "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    assert "Unable to locate credentials" in failure(tmp_path / "cache", "s3://models/x", nobody)


@pytest.mark.parametrize("below", ["../secret.gguf", "a/../../secret.gguf", "link/secret.gguf"])
def test_leaves_no_way_out_of_a_claim(tmp_path, below):
    claim = tmp_path / "claim"
    claim.mkdir()
    (tmp_path / "secret.gguf").touch()
    (claim / "link").symlink_to(tmp_path)
    weights = Weights(tmp_path / "cache", mapped={"pvc://disk": claim}, environment={})
    with pytest.raises(LocalError, match="leads out of the folder that stands for its claim"):
        weights.present(f"pvc://disk/{below}")


def test_finds_weights_below_a_claim(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/my.gguf").touch()
    weights = Weights(tmp_path / "cache", mapped={"pvc://disk": tmp_path}, environment={})
    assert weights.present("pvc://disk/a/b?model=x") == tmp_path / "a/b/my.gguf"
    assert weights.missing_claim("pvc://disk/a") is None
    assert weights.missing_claim("pvc://other/a?model=x") == "other"
    with pytest.raises(LocalError, match="does not exist"):
        weights.present("pvc://disk/nothing")
