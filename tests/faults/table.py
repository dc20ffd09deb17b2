"""The table of faults: three files of data, one for each way in which a fault comes into the daemon."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
LOGS = HERE.parent / "golden" / "logs"


@dataclass(frozen=True)
class Fault:
    """One row; ``script`` is all that it says."""

    name: str
    player: str
    """``engines``, ``nodes`` or ``native``, as the file is called."""
    script: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.script["code"])

    @property
    def fix(self) -> str:
        """The label of the remedy that is applied."""
        return str(self.script["fix"])

    @property
    def is_command(self) -> bool:
        """Whether that remedy is a command for a terminal."""
        return self.fix.startswith("run ")

    @property
    def cause(self) -> str:
        return str(self.script.get("while", "False"))

    @property
    def url(self) -> str:
        return str(self.script.get("url", "hf://org/model"))

    @property
    def log(self) -> Path:
        return LOGS / f"{self.script['log']}.log"

    @property
    def manifest(self) -> dict[str, Any]:
        """The Model as it is applied."""
        spec = {
            "url": self.url,
            "engine": self.script.get("engine", "VLLM"),
            "features": ["TextGeneration"],
            "resourceProfile": "cpu:1",
            "minReplicas": 1,
        }
        metadata = {"name": self.name, "finalizers": self.script.get("finalizers", [])}
        written = {"metadata": metadata, "spec": spec | self.script.get("spec", {})}
        return {"apiVersion": "kubeai.org/v1", "kind": "Model", **written}

    @property
    def played(self) -> dict[str, Any]:
        """What the scripted engine reads."""
        return {**self.script, **({"log": str(self.log)} if "log" in self.script else {})}


def faults() -> list[Fault]:
    """All rows."""
    return [
        Fault(name, player, script)
        for player in ("engines", "nodes", "native")
        for name, script in yaml.safe_load((HERE / f"{player}.yaml").read_text()).items()
    ]
