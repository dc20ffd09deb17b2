"""What a machine has: what the system, and the groups around this process, let it have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.local import machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("own", "file"),
    [
        ("0::/", "memory.max"),
        ("0::/jobs/17", "jobs/17/memory.max"),
        ("0::/jobs/17", "jobs/memory.max"),
        ("9:name=systemd:/\n4:cpu,memory:/jobs/17\n0::/", "memory/jobs/17/memory.limit_in_bytes"),
        ("0::/../other", "memory.max"),
        ("nothing that a kernel writes\n", "memory/memory.limit_in_bytes"),
    ],
)
def test_has_no_more_than_the_groups_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, file: str
) -> None:
    (tmp_path / "self").write_text(own)
    monkeypatch.setattr(machine, "_OWN_GROUPS", tmp_path / "self")
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    unlimited = machine.memory_here().total_bytes
    limit = tmp_path / "groups" / file
    limit.parent.mkdir(parents=True)
    limit.write_text("max\n")
    assert machine.memory_here().total_bytes == unlimited
    limit.write_text("1000000\n")
    here = machine.memory_here()
    assert (here.total_bytes, here.free_bytes) == (1_000_000, 1_000_000)
