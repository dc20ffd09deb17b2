from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local import fetch_worker
from kubeai_notebook.local import weights as module
from kubeai_notebook.local.weights import Weights
from tests.support.http_server import Answer, HttpServer, Received, json_answer

GGUF = b"GGUF" + bytes(range(256)) * 2048
ADAPTER = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"tensors"}
REPOSITORIES = {
    "me/tiny": {"tiny.gguf": GGUF, "README.md": b"hello"},
    "me/two": {"a.gguf": GGUF, "b.gguf": b"GGUF"},
    "me/lora": ADAPTER,
    "me/whole": {"model.safetensors": b"x", "config.json": b"{}"},
}
SECRET = "hf_secret"


class Hub:
    """As much of the hub's API as downloads need; ``me/gated`` wants the token, ``me/broken`` sends half a file.

    ``versions`` are the ETag and the commit of every file, where a test says them.
    """

    versions: tuple[str, str] | None = None

    def __call__(self, request: Received) -> Answer:
        parts = request.path.partition("?")[0].strip("/").split("/")
        is_api = parts[:2] == ["api", "models"]
        name = "/".join(parts[2:4] if is_api else parts[:2])
        granted = request.headers.get("Authorization") == f"Bearer {SECRET}"
        files = REPOSITORIES.get("me/tiny" if name in ("me/gated", "me/broken") else name)
        if files is None or (name == "me/gated" and not granted):
            code = "RepoNotFound" if files is None else "GatedRepo"
            return json_answer({}, 404 if files is None else 401, X_Error_Code=code, X_Error_Message="no access")
        if is_api:
            siblings = [sibling(content, file) for file, content in files.items()]
            return json_answer({"id": name, "modelId": name, "sha": "c" * 40, "siblings": siblings})
        content = files["/".join(parts[4:])]
        tag, commit = self.versions or (hashlib.sha256(content).hexdigest(), "c" * 40)
        half = len(content) // 2 if name == "me/broken" and request.method == "GET" else None
        return Answer(content, headers={"ETag": f'"{tag}"', "X-Repo-Commit": commit}, cut_after_bytes=half)


def sibling(content, file):
    facts = {"rfilename": file, "size": len(content), "blobId": "0"}
    large = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 100}
    return facts | ({"lfs": large} if file.endswith(".gguf") else {})


@pytest.fixture
def hub(tmp_path):
    """A hub on loopback; gives the environment of a Pod that uses it, and what it was asked for."""
    pytest.importorskip("huggingface_hub", reason="the extra [hub] is not installed")
    with HttpServer(Hub()) as server:
        environment = {"HF_ENDPOINT": server.address, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        yield environment, server


def fetched(cache, url, environment, *, kind="model", count=1):
    told = []

    async def all_of_them():
        # The hub's address is the daemon's own; a Model brings logins, and the address of its store.
        weights = Weights(cache, mapped={}, environment={**os.environ, **environment})
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
        ("hf://me/whole", "hf://me/whole holds no .gguf file, and llama.cpp, which stands in here, loads nothing else"),
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
        ("hf://a/b", 'Other hf:// urls need huggingface_hub: pip install "kubeai-notebook[hub]".'),
        ("s3://a/b", 'Other s3:// urls need boto3: pip install "kubeai-notebook[s3]".'),
    ],
)
def test_names_the_extra_that_is_missing(tmp_path, monkeypatch, url, sentence):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    assert Weights(tmp_path, mapped={}, environment={}).lacking(url) == sentence


def test_asks_for_room_before_it_fetches(tmp_path):
    watched = fetch_worker._watched(tmp_path / "x", name="big", total=10**18)
    with (
        pytest.raises(LocalError, match=r"No space left on device: big needs 10{12} MB in .*, \d+ MB are free"),
        watched,
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


def test_asks_no_hub_that_a_model_names(tmp_path, hub):
    environment, server = hub
    other = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "others"), "https_proxy": "http://a:1"}
    weights = Weights(tmp_path / "cache", mapped={}, environment={**os.environ, **environment})
    path = asyncio.run(weights.fetch("hf://me/tiny", lambda *_: None, environment=other))
    assert path.is_relative_to(tmp_path / "hf")
    assert server.received
    assert not (tmp_path / "others").exists()


class Store:
    """A store that says what keys it likes; shadows boto3 in ``_from_s3``."""

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
        fetch_worker._from_s3("bucket/models", "model", part=part, doubted=False)
    assert store.downloads == []
    assert files_in(tmp_path) == []


def test_takes_folders_of_a_store(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", Store("models/deep/tiny.gguf"))
    part = tmp_path / "cache/x.part"
    part.mkdir(parents=True)
    path = fetch_worker._from_s3("bucket/models", "model", part=part, doubted=False)
    assert path.read_bytes() == b"GGUF"
    assert path.is_relative_to(tmp_path / "cache")


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
    assert "s3://models/x holds no .gguf file" in failure(tmp_path / "cache", "s3://models/x", environment)
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
