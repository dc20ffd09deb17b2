from __future__ import annotations

import pytest

from kubeai_notebook.local.api.journal import RESERVE_BYTES, Journal


@pytest.mark.parametrize("left", [0, 1 << 14])
def test_fills_a_reserve_again_that_a_full_disk_cut_short(tmp_path, left):
    reserve = tmp_path / "state.reserve"
    reserve.write_bytes(bytes(left))
    Journal(tmp_path / "state.db")
    assert reserve.stat().st_size == RESERVE_BYTES
