"""Faults of real engines, as their logs were recorded, with the Remedy that takes the refused setting back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.core.diagnosis import recorded
from tests.core.diagnosis.scenes import crash, model

from .pure import Pure, Spec, engine_of
from .pure_engines import NO_VLLM

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.core.observation import Observation

NO_INFINITY = "this machine has no Infinity"
# What the hub's library says of a path that is no folder, and vLLM of a package that it would need.
NO_DRAFT = "huggingface_hub.errors.HFValidationError: Repo id must use alphanumeric chars: '/draft'."
NO_MODELSCOPE = "ImportError: Please install modelscope>=1.18.1 via `pip install modelscope>=1.18.1` to use ModelScope."

NO_HOST = "ERROR:    [Errno -3] Temporary failure in name resolution"
NO_BLOCKS = "ValueError: No available memory for the cache blocks."
PRELOADED = "INFO: Preloaded configuration successfully. -> exit ."


def in_the_log(name: str, *more: str) -> Observation:
    """The Model whose engine wrote the recorded log, with more args than it had."""
    (entry,) = (entry for entry in recorded.entries() if entry["name"] == name)
    words = " ".join((entry["command"], *more)) if more else entry["command"]
    return recorded.observation({**entry, "command": words})


def given(argument: str) -> Callable[[Spec], bool]:
    """Whether the Model has the argument."""
    return lambda spec: engine_of(spec).arg(argument) is not None


def _pure(code: str, fix: str, observation: Observation, cause: Callable[[Spec], bool]) -> Pure:
    why = NO_INFINITY if observation.model["spec"]["engine"] == "Infinity" else NO_VLLM
    return Pure(code=code, fix=fix, why_not_played=why, observation=observation, cause=cause)


OF_RECORDED = (
    _pure("AdapterNotLoaded", "drop argument {by}", in_the_log("vllm-lora-modules-missing"), given("--lora-modules")),
    _pure(
        "BadArgumentValue",
        "drop argument --ssl-keyfile --ssl-certfile --ssl-ca-certs",
        in_the_log("vllm-ssl"),
        lambda spec: given("--ssl-keyfile")(spec) or given("--ssl-certfile")(spec),
    ),
    _pure(
        "BadArgumentValue",
        "drop argument --tool-parser-plugin --reasoning-parser-plugin",
        in_the_log("vllm-plugin-file"),
        given("--tool-parser-plugin"),
    ),
    _pure("BadArgumentValue", "drop argument {asked_by}", in_the_log("vllm-tool-server"), given("--tool-server")),
    _pure(
        "BadArgumentValue",
        "drop argument --config",
        in_the_log("vllm-config-gone", "--config=/etc/vllm/serve.yaml"),
        given("--config"),
    ),
    _pure("BadArgumentValue", "drop argument --load-format", in_the_log("vllm-load-sharded"), given("--load-format")),
    _pure(
        "BadArgumentValue",
        "drop argument --log-config-file --logging-config",
        in_the_log("vllm-log-stream", "--log-config-file=/etc/log.json"),
        given("--log-config-file"),
    ),
    _pure(
        "BadArgumentValue",
        "drop env VLLM_LOGGING_STREAM VLLM_LOGGING_CONFIG_PATH",
        in_the_log("vllm-log-stream"),
        lambda spec: "VLLM_LOGGING_STREAM" in engine_of(spec).env,
    ),
    _pure(
        "BadArgumentValue",
        "drop argument --num-gpu-blocks-override",
        crash(NO_BLOCKS, model(args=["--num-gpu-blocks-override=1"])),
        given("--num-gpu-blocks-override"),
    ),
    _pure(
        "BadArgumentValue",
        "drop argument --preload-only",
        crash(PRELOADED, model(engine="Infinity", args=["--preload-only"]), exit_code=0),
        given("--preload-only"),
    ),
    _pure(
        "BadArgumentValue",
        "drop env INFINITY_PRELOAD_ONLY",
        in_the_log("inf-preload-exit"),
        lambda spec: engine_of(spec).env.get("INFINITY_PRELOAD_ONLY", "false") == "true",
    ),
    _pure(
        "CannotListen",
        "drop argument --host",
        crash(NO_HOST, model(engine="Infinity", args=["--host=engine.invalid"])),
        given("--host"),
    ),
    _pure(
        "CannotListen",
        "drop env INFINITY_HOST UVICORN_HOST",
        crash(NO_HOST, model(engine="Infinity", env={"INFINITY_HOST": "engine.invalid"})),
        lambda spec: "INFINITY_HOST" in engine_of(spec).env,
    ),
    _pure(
        "PythonPackageMissing",
        "drop argument --tool-parser-plugin --reasoning-parser-plugin",
        in_the_log("vllm-parser-plugin-import"),
        given("--tool-parser-plugin"),
    ),
    _pure(
        "BrokenEngineImage",
        "set env INFINITY_COMPILE=false",
        in_the_log("inf-compile-no-cc"),
        lambda spec: engine_of(spec).env.get("INFINITY_COMPILE", "true") == "true",
    ),
    _pure(
        "ModelJsonInvalid",
        "drop argument --hf-overrides",
        in_the_log("vllm-overrides-key"),
        given("--hf-overrides"),
    ),
    _pure(
        "ModelJsonInvalid",
        "drop argument --hf-overrides --rope-scaling --rope-theta",
        in_the_log("vllm-config-yarn", "--hf-overrides=@/etc/yarn.json"),
        given("--hf-overrides"),
    ),
    _pure(
        "ModelPathMissing",
        "drop argument {by}",
        crash(NO_DRAFT, model(args=['--speculative-config={"model":"/draft"}'])),
        given("--speculative-config"),
    ),
    _pure(
        "PythonPackageMissing",
        "drop argument {asking}",
        in_the_log("vllm-ray"),
        given("--distributed-executor-backend"),
    ),
    _pure(
        "PythonPackageMissing",
        "drop env {asking_variable}",
        crash(NO_MODELSCOPE, model(env={"VLLM_USE_MODELSCOPE": "true"})),
        lambda spec: engine_of(spec).env.get("VLLM_USE_MODELSCOPE", "false") == "true",
    ),
    _pure(
        "TensorParallelMoreThanGpus",
        "drop argument {other_spreads}",
        in_the_log("vllm-pp-2"),
        given("--pipeline-parallel-size"),
    ),
)
