"""Python code that a model brings along, and packages that it needs."""

from __future__ import annotations

from kubeai_notebook.core.diagnosis.engine.remedies import DOWNLOAD_ONCE, advise, drop_argument, drop_env, set_argument
from kubeai_notebook.core.diagnosis.engine.rule import Rule

_ASKED_FOR = (
    "which is not part of Sentence Transformers. Importing it executes",
    "Error: … the option `trust_remote_code=True`",
    "Error: … the argument `trust_remote_code=True`",
    "Please pass the argument `trust_remote_code=True`",
    "No module named 'custom_st'",
    "Error: … using the `--trust-remote-code` flag",
)
PYTHON_CODE: tuple[Rule, ...] = (
    Rule(
        code="TrustRemoteCodeNeeded",
        seen=("contains custom code which must be executed", "requires you to execute the", *_ASKED_FOR),
        take=(r"repository (?P<repo>\S+) contains", r"Loading (?P<repo>\S+) requires you"),
        message=(
            "{repo} brings its own Python code, which runs only with your consent.",
            "The model brings its own Python code, which runs only with your consent.",
        ),
        who="user",
        remedies=(
            drop_argument("--no-trust-remote-code", title="Read the code first; then remove {argument}."),
            set_argument("--trust-remote-code", "", "Read the code first; then set {argument}."),
        ),
    ),
    Rule(
        code="PythonPackageMissing",
        seen=("packages that were not found in your environment", "Missing requirements in your local environment"),
        take=(r"environment: (?P<packages>[\w\s,.-]+?)(?:\. Run|$)",),
        message=(
            "The image lacks the Python packages that this model needs: {packages}.",
            "The image lacks Python packages that this model needs.",
        ),
        who="user",
        remedies=(
            advise(
                "Set image to one that has {packages}; installing into a running Pod does not last.",
                "Set image to one that has them; installing into a running Pod does not last.",
            ),
        ),
    ),
    Rule(
        code="PythonPackageMissing",
        seen=("No module named 'runai_model_streamer'",),
        message=("The image cannot stream weights from S3: runai_model_streamer is not in it.",),
        who="user",
        remedies=(
            DOWNLOAD_ONCE,
            advise("Set a cacheProfile, or an image that has runai_model_streamer."),
        ),
    ),
    Rule(
        code="PythonPackageMissing",
        seen=("'hf_transfer' package is not available",),
        message=("The image cannot download by hf_transfer, which HF_HUB_ENABLE_HF_TRANSFER asks for.",),
        who="user",
        remedies=(
            drop_env("HF_HUB_ENABLE_HF_TRANSFER"),
            advise("Remove HF_HUB_ENABLE_HF_TRANSFER wherever it is set."),
        ),
    ),
)
