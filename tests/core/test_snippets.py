"""Code in other programs' words: it is code, and holds no token and no word that could act."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess

import pytest
import yaml

from kubeai_notebook.core.snippets import FEATURES, KINDS, SHELL, Target, settings_for, snippet
from kubeai_notebook.errors import UsageError

URL = "http://127.0.0.1:1/openai/v1"
OPENING = "with Session(context='a').attach('smol').forward() as port:"
ODD = "x\"'`$(touch /tmp/x)\\\n{}%"


def made(kind, feature, **options):
    try:
        return snippet(kind, Target(**{"model": "smol", "feature": feature, "base_url": URL, **options}))
    except UsageError as error:
        assert "Take one of: python, requests, curl" in error.hint  # noqa: PT017 - other kinds are to be gone through
        return None


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["smol", ODD])
def test_is_code_whatever_the_names_are(kind, feature, model):
    code = made(kind, feature, model=model)
    if code is None:
        assert kind in ("langchain", "litellm", "llm")
    elif kind in SHELL:
        assert subprocess.run(["sh", "-n"], input=code, text=True, check=False).returncode == 0
    else:
        tree = ast.parse(code)
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        assert any(model in str(text) for text in texts)


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("kind", sorted(set(KINDS) - SHELL))
def test_opens_a_port_where_the_gateway_wants_a_login(kind, feature):
    code = made(kind, feature, base_url="", opening=OPENING)
    if code is not None:
        ast.parse(code)
        assert OPENING in code
        assert "port.base_url" in code
        assert "port.api_key" in code


def test_sends_curl_what_the_route_takes():
    words = shlex.split(made("curl", "TextGeneration").replace("\\\n", ""))
    assert words[:2] == ["curl", f"{URL}/chat/completions"]
    assert json.loads(words[-1])["messages"][0]["role"] == "user"


def test_keeps_one_entry_of_llm_a_model_and_the_users_own(tmp_path):
    program = tmp_path / "llm"
    program.write_text(f'#!/bin/sh\n[ "$1" = logs ] && echo {tmp_path}/logs.db || true\n')
    program.chmod(0o755)
    models = tmp_path / "extra-openai-models.yaml"
    models.write_text("- model_id: gpt-mine\n  model_name: gpt-mine\n")
    for model, url in (("smol", URL), (ODD, URL), ("smol", "http://127.0.0.1:2/openai/v1"), (ODD, URL)):
        code = made("llm", "TextGeneration", model=model, base_url=url)
        subprocess.run(["sh", "-c", code], check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    kept = {entry["model_id"]: entry.get("api_base") for entry in yaml.safe_load(models.read_text())}
    assert kept == {"gpt-mine": None, "smol": "http://127.0.0.1:2/openai/v1", ODD: URL}
    assert len(yaml.safe_load(models.read_text())) == 3


def test_names_the_nearest_kind():
    with pytest.raises(UsageError, match='There is no code "pyton".*Did you mean "python"'):
        snippet("pyton", Target(model="smol", feature="TextGeneration", base_url=URL))


def test_gives_settings_by_each_programs_own_names():
    given = {"model": "smol", "base_url": URL, "api_key": "unused"}
    assert settings_for("openai", **given) == {"base_url": URL, "api_key": "unused"}
    assert settings_for("langchain", **given) == given
    assert settings_for("litellm", **given) == {"model": "openai/smol", "api_base": URL, "api_key": "unused"}
    assert settings_for("llm", **given) == {"model_id": "smol", "model_name": "smol", "api_base": URL}
    assert settings_for("env", **given)["OPENAI_BASE_URL"] == URL
    with pytest.raises(UsageError, match='no settings for "lang-chain".*Did you mean "langchain"'):
        settings_for("lang-chain", **given)
