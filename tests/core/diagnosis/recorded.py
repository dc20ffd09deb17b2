"""Recorded logs and the Observation in which each of them was seen."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from .scenes import container, log, model, pod, seen

LOGS = Path(__file__).parents[2] / "golden" / "logs"
_OPERATORS_OWN = {"INFINITY_MODEL_ID", "INFINITY_SERVED_MODEL_NAME", "INFINITY_ENGINE", "WHISPER__MODEL", "ENABLE_UI"}


def entries(folder=LOGS):
    return json.loads((folder / "index.json").read_text())


def observation(entry, folder=LOGS):
    text = (folder / f"{entry['name']}.log").read_text(errors="replace")
    command = entry["command"]
    words = shlex.split(command) if isinstance(command, str) else list(command)
    if entry["engine"] == "loader":
        return _of_loader(entry, words, text)
    served = next((word.split("=")[1] for word in words if word.startswith("--served-model-name=")), "m")
    served = entry["env"].get("INFINITY_SERVED_MODEL_NAME", served)
    engine = {"llama.cpp": "OLlama"}.get(entry["engine"], entry["engine"])
    env = {key: value for key, value in entry["env"].items() if key not in _OPERATORS_OWN}
    spec = {
        "engine": engine,
        "url": _url(entry, engine, words),
        "args": [word for word in words if word.startswith("--") and "=" in word and not word.startswith("--model=")],
        "env": env,
        "features": ["TextGeneration" if engine in ("VLLM", "OLlama") else "TextEmbedding"],
    }
    lora = "lora-" in entry["name"] and entry["ended"] == "running"
    if lora:
        spec["adapters"] = [{"name": "colorist", "url": "hf://org/lora"}]
    ready = entry["ended"] == "running" and (engine == "FasterWhisper" or lora or entry.get("ready", False))
    made = model(served, ready=int(ready), **spec)
    name = f"model-{served}-abc-1"
    state, previous = _state("server", entry)
    return seen(made, pod(name, state, ready=ready), logs=[log(text, pod=name, previous=previous)], config=None)


def _url(entry, engine, words):
    given = entry["env"].get("INFINITY_MODEL_ID") or entry["env"].get("WHISPER__MODEL")
    given = given or next((word.split("=", 1)[1] for word in words if word.startswith("--model=")), "/model")
    if engine == "OLlama":
        return "ollama://smollm2:135m"
    if entry["code"] == "InvalidModelUrl" and engine in ("Infinity", "FasterWhisper"):
        return f"pvc://{given}"
    if given.startswith("s3://"):
        return given
    return f"hf://{given}" if not given.startswith("/") else "hf://org/repo"


def _of_loader(entry, words, text):
    made = model(url=words[1], engine="VLLM", env=entry["env"], cacheProfile="standard", pods=0)
    made["status"]["cache"] = {"loaded": False}
    state, previous = _state("loader", entry)
    name = "load-cache-m-x1"
    job = pod(name, state, labels={"job-name": "load-cache-m"})
    return seen(made, job, logs=[log(text, pod=name, container="loader", previous=previous)], config=None)


def _state(name, entry):
    if entry["ended"] == "running":
        return container(name, running=True), False
    if entry["exit_code"] == 0:
        return container(name, exit_code=0, reason="Completed"), False
    reason = "OOMKilled" if entry["code"] == "OomKilled" else "Error"
    return container(name, waiting="CrashLoopBackOff", exit_code=entry["exit_code"], reason=reason), True
