"""Python code that a model brings along, and packages that it needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import (
    DOWNLOAD_ONCE,
    READ_LOG,
    advise,
    drop_argument,
    drop_env,
    set_argument,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case

_ASKED_FOR = (
    "which is not part of Sentence Transformers. Importing it executes",
    "Error: … the option `trust_remote_code=True`",
    "Error: … the argument `trust_remote_code=True`",
    "Please pass the argument `trust_remote_code=True`",
    "No module named 'custom_st'",
    "Error: … using the `--trust-remote-code` flag",
)
_OF_THE_MODEL = re.compile(r'file "(?=[^"]*/transformers_modules/)[^"]*[^\w.\-"](?P<file>[\w.-]+\.py)"')


def _own_code(case: Case) -> dict[str, str]:
    """The file of the model's own Python code in whose frame it was raised; libraries are not its own."""
    frames = case.frames(8)
    own = _OF_THE_MODEL.match(frames[-1]) if frames else None
    return {"file": own["file"]} if own else {}


def _fails_in_own_code(case: Case) -> bool:
    return case.has_ended and not case.had_started and bool(_own_code(case))


def _is_no_python(case: Case) -> bool:
    """Whether transformers could not even read the code, as it looks for what that imports."""
    return case.has_ended and case.line.startswith("SyntaxError") and "/dynamic_module_utils.py" in case.above(20)


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
    Rule(
        code="PythonPackageMissing",
        seen=("ImportError: cannot import name '", "AttributeError: module '… has no attribute '"),
        only=_fails_in_own_code,
        take=(
            r"name '(?P<part>\w+)' from '(?P<package>\w+)",
            r"^AttributeError: module '(?P<package>\w{1,80})[\w.]{0,200}' has no attribute '(?P<part>\w+)'",
        ),
        derive=_own_code,
        message=(
            "The model's own code ({file}) needs {part} of {package}, which the image's release of it does not have.",
            "The model's own code needs a part of a package that the image's release of it does not have.",
        ),
        who="user",
        remedies=(
            advise(
                "Set image to a release of the engine that has another {package}; the model's page tells which.",
                "Set image to another release of the engine; the model's page tells which.",
            ),
            advise("Or set --revision to one in which the model's code fits."),
        ),
    ),
    Rule(
        code="Unknown",
        seen=("Error: ",),
        unless=("ModuleNotFoundError",),
        only=lambda case: _fails_in_own_code(case) or _is_no_python(case),
        take=(r"^(?P<why>\w{1,60}: .{1,200}?)\.?$",),
        derive=_own_code,
        message=(
            "The model's own code ({file}) fails in this engine: {why}.",
            "The model's own code fails in this engine.",
        ),
        who="user",
        remedies=(
            advise("Set --revision to one in which the model's code works, or image to another release of the engine."),
            READ_LOG,
        ),
    ),
)
