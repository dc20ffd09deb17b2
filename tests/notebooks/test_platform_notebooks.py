"""The calls of the platform's published notebooks, but for names and sizes: a notebook a scenario."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import kubeai_local
from tests.support.lora import write_lora

FOLDER = Path(__file__).parent / "platform"
RUN = Path(__file__).parents[2] / "notebooks" / "run.py"
SHOWN = {
    "text": [
        "Paris",
        "kubeai-text+run",
        "('colorist', True, True)",
        '"max_length"',
        "--max-model-len",
        '"1xa100"',
        "STOPPED",
    ],
    "embeddings": ["(2, 384)", "kind", '"python"', "kubeai-text and kubeai-speech", "STOPPED"],
    "rag": ["Paris is the capital of France.", "Answer: True", "STOPPED"],
    "speech": ["SpecError This machine has no engine for FasterWhisper yet. Use engine", "\n[]\n"],
}
"""What a reader of each notebook sees."""


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("name", SHOWN)
def test_runs_from_the_first_cell_to_the_last(name: str, tmp_path: Path) -> None:
    adapter = write_lora(tmp_path / "lora", seed=1)
    assert kubeai_local("add", f"hf://jashing/tinyllama-colorist-lora={adapter}").returncode == 0
    command = [sys.executable, RUN, FOLDER / f"{name}.ipynb"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    missing = [sentence for sentence in SHOWN[name] if sentence not in done.stdout]
    assert not missing, done.stdout
