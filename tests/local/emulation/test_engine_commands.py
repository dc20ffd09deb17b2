"""How each engine is started."""

from __future__ import annotations

import pytest

from kubeai_notebook.local.emulation.engine_commands import EngineSpec, recipe_of


@pytest.mark.parametrize("engine", ["VLLM", "OLlama", "Infinity"])
def test_says_last_where_an_engine_listens(engine):
    url = "ollama://a:1" if engine == "OLlama" else "hf://a/b"
    asked = EngineSpec(engine, "m", url, ("TextGeneration",), adapted=True, arguments=("--x",))
    recipe = recipe_of(asked, "", program="/bin/engine", port=7)
    said = " ".join([*recipe.command[-2:], *recipe.ours.values()])
    assert "127.0.0.1" in said
    assert "7" in said
    assert recipe.port == 7
