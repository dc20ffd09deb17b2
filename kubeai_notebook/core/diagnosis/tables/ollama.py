"""Failures that only OLlama has, which runs llama.cpp."""

from __future__ import annotations

from kubeai_notebook.core.diagnosis.engine.remedies import MORE_UNITS, READ_LOG, advise
from kubeai_notebook.core.diagnosis.engine.rule import Rule

from .network import PROXIES

OLLAMA: tuple[Rule, ...] = (
    Rule(
        code="ModelFormatUnsupported",
        seen=("Repository is not GGUF",),
        message=("{weights} is no repository of GGUF files, which Ollama reads.", "The repository has no GGUF files."),
        who="user",
        remedies=(advise("Name a GGUF build of the model; or serve the repository by engine VLLM with an hf:// url."),),
    ),
    Rule(
        code="OllamaTooOld",
        seen=("requires a newer version of Ollama",),
        message=("The registry gives this model only to a newer Ollama than the image has.",),
        who="user",
        remedies=(advise("Set image to a current ollama/ollama release."),),
    ),
    Rule(
        code="OllamaTooOld",
        seen=("done_getting_tensors: wrong number of tensors", "500 Internal Server Error: unable to load model:"),
        message=("The image's Ollama is older than this model's format.",),
        who="user",
        remedies=(advise("Set image to a current ollama/ollama release; else the file was cut off: pull it anew."),),
    ),
    Rule(
        code="ModelFormatUnsupported",
        seen=("error loading model vocabulary", "error loading model hyperparameters"),
        message=("The GGUF file lacks what this Ollama needs beside the weights.",),
        who="user",
        remedies=(advise("Take a build from a current conversion, or set image to a current ollama/ollama release."),),
    ),
    Rule(
        code="RunnerDied",
        seen=("GGML_ASSERT(",),
        take=(r"(?P<check>GGML_ASSERT\(.{1,200}?\)) failed",),
        message=(
            "Ollama's runner stopped at a check of its own: {check}.",
            "Ollama's runner stopped at a check of its own.",
        ),
        who="user",
        remedies=(
            advise("Set image to a current ollama/ollama release, or choose another build of the model."),
            READ_LOG,
        ),
    ),
    # Ollama goes on without the GPU after this, so it stands below whatever stopped it.
    Rule(
        code="NvidiaDriverTooOld",
        seen=("NVIDIA driver too old",),
        message=("The node's NVIDIA driver is too old for this Ollama, which goes on by CPU.",),
        who="admin",
        remedies=(advise("Update the node's driver, or set image to an older release."),),
    ),
)

PULLS: tuple[Rule, ...] = (
    Rule(
        code="ProxyUnreachable",
        seen=("does not look like a TLS handshake", "server gave HTTP response to HTTPS client"),
        only=lambda case: any(case.scene.variable(name) for name in PROXIES),
        message=("The proxy of HTTPS_PROXY speaks http, but is asked by https.",),
        who="user",
        remedies=(advise("Begin env.HTTPS_PROXY with http://: the way to the proxy, not the way through it."),),
    ),
    Rule(
        code="RegistryUnreachable",
        seen=(
            "does not look like a TLS handshake",
            "server gave HTTP response to HTTPS client",
            'pull model manifest: Get "',
            'pull model manifest: Head "',
            "pull model manifest: 5",
        ),
        take=(r"https?://(?P<host>[\w.-]+)",),
        message=(
            "The Pod gets no usable answer from {host}, from where it pulls the model.",
            "The Pod gets no usable answer from the model's registry.",
        ),
        who="user",
        remedies=(
            advise("If the cluster goes out through a proxy, set env.HTTPS_PROXY."),
            advise("Else the admin opens the way out to {host}.", "Else the admin opens the way out."),
        ),
    ),
    Rule(
        code="DownloadInterrupted",
        seen=("Error: max retries exceeded", "Error: pull … unexpected EOF", "Error: unexpected EOF"),
        only=lambda case: case.scene.engine == "OLlama",
        message=("The download of the model broke off.",),
        who="nobody",
        remedies=(
            advise("Wait: it is tried again. If it goes on, ask whether a firewall or proxy cuts long downloads."),
        ),
    ),
    Rule(
        code="ModelNotFound",
        seen=("pull model manifest: ", "Error: pull … manifest unknown", "Error: invalid model name"),
        take=(r"pull model manifest: (?P<why>.{1,160})",),
        message=(
            'The registry does not give out the model of "{url}": {why}',
            'The registry does not give out the model of "{url}".',
            "The registry does not give out the model.",
        ),
        who="user",
        remedies=(advise("Correct the url: the repository, and the tag or quantization behind its colon."),),
    ),
)
"""A pull of Ollama that failed in other words than the rows above know: never is it well."""

RUNNER: tuple[Rule, ...] = (
    Rule(
        code="RunnerDied",
        seen=("has terminated: signal: killed", "has terminated: signal: 9"),
        only=lambda case: case.scene.engine == "OLlama",
        message=("Ollama's runner was killed while it loaded the model: its Pod is short of memory.",),
        who="user",
        remedies=(MORE_UNITS, advise("Or choose a smaller or more strongly quantized model."), READ_LOG),
    ),
    Rule(
        code="RunnerDied",
        seen=(
            "model runner has unexpectedly stopped",
            "llama runner process has terminated",
            "do load request: … EOF",
            "llama runner process no longer running",
            "model failed to load, this may be due to resource limitations",
            "failed to start a llama runner",
            "error loading llama server",
            "error starting llama",
            "llama-server … exit",
        ),
        only=lambda case: case.scene.engine == "OLlama",
        message=("Ollama's runner died while it loaded the model, and the log says no cause.",),
        who="user",
        remedies=(READ_LOG, MORE_UNITS),
    ),
    Rule(
        code="DownloadInterrupted",
        seen=("Error: ",),
        unless=("could not connect to", "server not responding", "connection refused"),
        only=lambda case: case.scene.engine == "OLlama" and case.passage.kind == "event",
        take=(r"Error: (?P<why>.{1,160})",),
        message=("The pull of the model failed: {why}", "The pull of the model failed."),
        who="nobody",
        remedies=(
            advise("Wait: it is tried again. If it goes on, ask whether a firewall or proxy cuts the way out."),
            READ_LOG,
        ),
    ),
)
"""What Ollama says of any pull that failed and any death of its runner: behind all that knows a cause."""
