"""The words of JupyterLab's extension in other languages: what JupyterLab reads of them, and that none is missing."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

import kubeai_notebook
from tests.support.language_pack import distribution, language_pack

extract = pytest.importorskip("babel.messages.extract")
translation_utils = pytest.importorskip("jupyterlab_server.translation_utils")

ROOT = Path(__file__).parents[1]
CATALOGUES = sorted(Path(kubeai_notebook.__file__).parent.glob("locale/*/LC_MESSAGES/*.json"))
FOLDERS = ("shared", "src", "widgets")
CALL = re.compile(r"\btrans\.(?:__|_n)\(")
PLACE = re.compile(r"%\d")

Message = str | tuple[str, str]


def messages() -> list[Message]:
    """What the front end hands to its translator; of what is counted, both forms."""
    folders = [(f"{folder}/**.ts", "javascript") for folder in FOLDERS]
    keywords = {"__": None, "_n": (1, 2)}
    found = extract.extract_from_dir(ROOT / "labextension", method_map=folders, keywords=keywords)
    return [message for _file, _line, message, _comments, _context in found]


def catalogue(path: Path) -> dict[str, list[str]]:
    words: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return {message: forms for message, forms in words.items() if message != ""}


def test_reads_every_word_that_the_front_end_has_translated() -> None:
    paths = [path for folder in FOLDERS for path in (ROOT / "labextension" / folder).rglob("*.ts")]
    calls = sum(len(CALL.findall(path.read_text(encoding="utf-8"))) for path in paths)
    assert len(messages()) == calls > 0


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parents[1].name)
def test_has_every_word_in_the_language_and_none_besides(path: Path) -> None:
    first = {message if isinstance(message, str) else message[0] for message in messages()}
    assert set(catalogue(path)) == first


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parents[1].name)
def test_keeps_the_place_of_every_value_and_both_forms_of_what_is_counted(path: Path) -> None:
    words = catalogue(path)
    for message in messages():
        forms = [message] if isinstance(message, str) else list(message)
        translated = words.get(forms[0], [])
        assert len(translated) == len(forms), forms[0]
        for before, after in zip(forms, translated, strict=True):
            assert sorted(PLACE.findall(before)) == sorted(PLACE.findall(after)), after


def test_gives_jupyterlab_italian_beside_its_language_pack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"][
        "jupyterlab.locale"
    ]
    # Before the installed one, which may be older than pyproject.toml.
    distribution(tmp_path, "kubeai_notebook", "jupyterlab.locale", **declared)
    language_pack(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    words, problem = translation_utils.get_language_pack("it_IT")
    assert problem == ""
    assert words["kubeai_notebook"]["Serve a model"] == ["Servi un modello"]
