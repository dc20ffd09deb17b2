from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.local.home import Home
from kubeai_notebook.local.mappings import Mappings, add

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def test_finds_what_was_added_meanwhile(home, tmp_path):
    running = Mappings({}, home)
    assert dict(running) == {}
    add(home, {"ollama://a:1": tmp_path / "a.gguf"})
    add(home, {"ollama://b:1": tmp_path / "b.gguf"})
    assert dict(running) == {"ollama://a:1": tmp_path / "a.gguf", "ollama://b:1": tmp_path / "b.gguf"}
    assert home.added_weights.stat().st_mode & 0o077 == 0


def test_prefers_what_the_command_line_states(home, tmp_path):
    add(home, {"ollama://a:1": tmp_path / "added.gguf"})
    assert Mappings({"ollama://a:1": tmp_path / "stated.gguf"}, home)["ollama://a:1"] == tmp_path / "stated.gguf"


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"ollama://a:1": 1}'])
def test_keeps_what_it_knew_where_the_file_is_damaged(home, tmp_path, damage):
    add(home, {"ollama://a:1": tmp_path / "a.gguf"})
    running = Mappings({}, home)
    assert len(running) == 1
    home.added_weights.write_text(damage)
    assert dict(running) == {"ollama://a:1": tmp_path / "a.gguf"}
    add(home, {"ollama://b:1": tmp_path / "b.gguf"})
    assert json.loads(home.added_weights.read_text()) == {"ollama://b:1": str(tmp_path / "b.gguf")}
    assert dict(running) == {"ollama://b:1": tmp_path / "b.gguf"}
