"""How damage to files that were fetched is found."""

from __future__ import annotations

import json
import os

import pytest

from kubeai_notebook.local.weights.seals import SUFFIX, Seal, sha256_of

CONTENT = bytes(range(256)) * 64


@pytest.fixture
def sealed(tmp_path):
    files = {"a": tmp_path / "a.gguf", "b": tmp_path / "b.json"}
    for path in files.values():
        path.write_bytes(CONTENT)
    seal = Seal(tmp_path, "kept")
    seal.write(files)
    return seal, files


def fault(sealed, *, sums=None, sizes=None, doubted=False):
    seal, files = sealed
    return seal.fault(files, sums or {}, sizes=sizes or {}, doubted=doubted)


def aged(sealed, seconds):
    """The record as it is when a check was so long ago."""
    path = next(sealed[1]["a"].parent.glob(f"*{SUFFIX}"))
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"checked": kept["checked"] - seconds}))


def rotten(path):
    """Other bytes, with the size and time of the old ones: what a failing disk gives."""
    path.write_bytes(CONTENT[:-1] + b"x")
    return [path.stat().st_size, path.stat().st_ctime_ns]


def test_believes_files_that_nobody_has_touched(sealed):
    seal, files = sealed
    assert seal.is_fresh(files)
    assert fault(sealed) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CONTENT[:100], "a.gguf holds 100 bytes instead of 16384"),
        (b"", "a.gguf holds 0 bytes instead of 16384"),
        (CONTENT[:-1] + b"x", "a.gguf has another sha256 than when it was fetched"),
    ],
)
def test_finds_what_has_changed_at_the_next_start(sealed, content, said):
    sealed[1]["a"].write_bytes(content)
    assert not sealed[0].is_fresh(sealed[1])
    assert fault(sealed) == said


def test_finds_a_file_that_is_gone(sealed):
    sealed[1]["b"].unlink()
    assert not sealed[0].is_fresh(sealed[1])
    assert fault(sealed) == "b.json is missing"


def test_takes_a_copy_with_another_time_for_the_same(sealed):
    os.utime(sealed[1]["a"], (1, 1))
    assert fault(sealed) is None
    assert sealed[0].is_fresh(sealed[1])


@pytest.mark.parametrize(("seconds", "doubted", "found"), [(60, False, False), (60, True, False), (7200, False, False),
                                                           (7200, True, True), (90_000, False, True)])  # fmt: skip
def test_compares_checksums_once_a_day_and_when_an_engine_could_not_load_them(sealed, seconds, doubted, found):
    path = next(sealed[1]["a"].parent.glob(f"*{SUFFIX}"))
    seen = rotten(sealed[1]["a"])
    kept = json.loads(path.read_text())
    kept["files"]["a"][:2] = seen
    path.write_text(json.dumps(kept))
    aged(sealed, seconds)
    assert (fault(sealed, doubted=doubted) is not None) is found


def test_knows_better_sums_than_its_own(sealed, tmp_path):
    files = sealed[1]
    unknown = Seal(tmp_path, "new")
    assert unknown.fault(files, {"a": "0" * 64}, sizes={}, doubted=False) is not None
    assert unknown.fault(files, {}, sizes={"a": 1}, doubted=False) == "a.gguf holds 16384 bytes instead of 1"
    assert unknown.fault(files, {"a": sha256_of(files["a"])}, sizes={}, doubted=False) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"checked": "x", "files": {}}', '{"checked": 1, "files": {"a": 5}}', "\0"]
)
def test_begins_anew_where_its_record_is_damaged(sealed, text):
    next(sealed[1]["a"].parent.glob(f"*{SUFFIX}")).write_text(text)
    assert not sealed[0].is_fresh(sealed[1])
    assert fault(sealed) is None
    assert sealed[0].is_fresh(sealed[1])
