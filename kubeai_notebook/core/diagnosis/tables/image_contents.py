"""Compilers, libraries and packages that an engine's image lacks.

vLLM, Triton and FlashInfer compile for the GPU that they find, at every start; a slimmed image has nothing to do
it with. What is told here is the end of a chain of errors, so these rows stand behind all that know a cause of their
own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import name_of, value_of
from kubeai_notebook.core.diagnosis.engine.remedies import (
    Template,
    advise,
    drop_argument,
    drop_env,
    set_argument,
    set_env,
    set_field,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case

RELEASED: tuple[Template, ...] = (
    set_field("image", None, "Remove image, so that KubeAI takes its own."),
    advise("Set image to a released one of the engine, which holds what it needs."),
)


_LIBRARIES = ("libcudart", "libcublas", "libcudnn", "libcusparse", "libnvrtc", "libnccl", "libtorch", "libGL.so")
"""Those that an engine's released image holds; another one may be the fault of what a user put around it."""


def _asking(case: Case) -> dict[str, str]:
    """The argument or variable of the Model whose value is the package: what asks for it."""
    words = re.split(r"[\W_]+", case.values.get("package", "").lower())
    values = ((name_of(item), value_of(case.scene.args, name_of(item)) or "-") for item in case.scene.args)
    by_args = (name for name, value in values if value.partition(".")[0].lower() in words)
    named = [word for word in words if len(word) > 2 and not word.isdigit()]
    by_env = (
        name
        for name, value in case.scene.env.items()
        if value.lower() in named or any(name.lower().endswith(f"_use_{word}") for word in named)
    )
    return {"asking": next(by_args, ""), "asking_variable": next(by_env, "")}


_ALONE = re.compile(r"RuntimeError: \w{2,40} is not available\.?")

COMPILERS: tuple[Rule, ...] = (
    Rule(
        code="BrokenEngineImage",
        seen=(
            "Could not find nvcc",
            "nvcc: not found",
            "No such file or directory: 'nvcc'",
            "No such file or directory: 'ninja'",
            "ninja: not found",
            "Ninja is required to load C++ extensions",
            "CUDA_HOME environment variable is not set",
            "Ninja build failed",
            "Error building extension",
            "CalledProcessError: … nvcc",
        ),
        only=lambda case: case.has_ended,
        take=(r"(?P<tool>nvcc|ninja)",),
        message=(
            "The engine compiles for this GPU as it starts, and {tool} of the image is missing or does not fit.",
            "The engine compiles for this GPU as it starts, and a compiler of the image is missing or broken.",
        ),
        who="user",
        remedies=(
            set_env("VLLM_USE_FLASHINFER_SAMPLER", "0", "Do without what it compiles: env.{variable}."),
            *RELEASED,
        ),
    ),
    Rule(
        code="BrokenEngineImage",
        seen=("InvalidCxxCompiler",),
        only=lambda case: case.has_ended and case.scene.engine == "Infinity",
        message=("The image lacks the C++ compiler by which PyTorch compiles the model.",),
        who="user",
        remedies=(
            set_env("INFINITY_COMPILE", "false", "Do without compiling the model, which is slower: env.{variable}."),
            *RELEASED,
        ),
    ),
    Rule(
        code="BrokenEngineImage",
        seen=("torchinductor … fatal error: … No such file or directory", "InvalidCxxCompiler"),
        only=lambda case: case.has_ended,
        message=("The image lacks the C++ compiler, or its headers, by which PyTorch compiles the model.",),
        who="user",
        remedies=(
            set_argument("--enforce-eager", "", "Do without compiling the model, which is slower: set {argument}."),
            *RELEASED,
        ),
    ),
    Rule(
        code="BrokenEngineImage",
        seen=(
            "Failed to find C compiler",
            "fatal error: … .h: No such file or directory",
            "No such file or directory: 'gcc'",
            "cannot execute 'cc1",
            "gcc: not found",
            "CalledProcessError: … gcc",
            "CalledProcessError: … /cc'",
            "CalledProcessError: … clang",
        ),
        only=lambda case: case.has_ended,
        message=("The image lacks the C compiler, or its headers, by which Triton compiles for this GPU.",),
        who="user",
        remedies=RELEASED,
    ),
)
"""What compiles for the GPU that is found."""

CONTENTS: tuple[Rule, ...] = (
    Rule(
        code="PythonPackageMissing",
        seen=(
            "Error: Please install",
            "Error: … Please install",
            "Error: … but it was not found in your environment",
            "Error: … pip install",
            "Error: … seems to be not installed",
            "Error: … is not installed",
            "ModuleNotFoundError: No module named",
            "Value error, … No module named",
            "Value error, … pip install",
            "PackageNotFoundError: No package metadata was found for",
            "DistributionNotFound: The",
        ),
        only=lambda case: case.has_ended,
        take=(
            r"Error: (?P<package>[\w.-]+) is not available\. install via",
            r"(?:package|The) '?(?P<package>[\w-]+)'? (?:seems to be|is) not installed",
            r"metadata was found for '?(?P<package>[\w-]+)",
            r"The '(?P<package>[\w<>=.-]+)' distribution",
            r"Please install (?:the )?[`'\"]?(?P<package>[\w\[\]-]+(?:[<>=]=?[\d.]+\d)?)",
            r"pip install [`'\"]?(?P<package>[\w\[\]-]+(?:[<>=]=?[\d.]+\d)?)",
            r"No module named '(?P<package>\w+)",
            r"requires the (?P<package>[\w-]+) library",
        ),
        message=(
            "The image lacks the Python package {package}, or has a version of it that does not fit.",
            "The image lacks a Python package that this model needs.",
        ),
        who="user",
        remedies=(
            advise(
                "Set image to one that has {package}; installing into a running Pod does not last.",
                "Set image to one that has it; installing into a running Pod does not last.",
            ),
            drop_argument("{asking}", title="Or do without what needs it: remove {argument}."),
            drop_env("{asking_variable}"),
            RELEASED[0],
        ),
        derive=_asking,
    ),
    Rule(
        # vLLM's connectors and kernels say no more of a package that is not there.
        code="PythonPackageMissing",
        seen=("RuntimeError: … is not available",),
        only=lambda case: case.has_ended and not case.had_started and _ALONE.fullmatch(case.line) is not None,
        take=(r"^RuntimeError: (?P<package>\w{1,40}) is",),
        message=("The image lacks {package}, which a setting asks for.", "The image lacks what a setting asks for."),
        who="user",
        remedies=(
            advise(
                "Set image to one that has {package}, or take out of args what asks for it.",
                "Take out of args what asks for it.",
            ),
            RELEASED[0],
        ),
    ),
    Rule(
        code="BrokenEngineImage",
        seen=("CUDNN_STATUS_NOT_INITIALIZED", "CUBLAS_STATUS_NOT_INITIALIZED", "CUDNN_STATUS_SUBLIBRARY"),
        message=("The image's GPU library does not start: it does not fit the driver, or the GPU's memory is full.",),
        who="user",
        remedies=(
            advise("Take a profile with a bigger GPU, or a smaller model, if its memory is nearly full."),
            *RELEASED,
            advise("Or the admin updates the node's driver."),
        ),
    ),
    Rule(
        code="BrokenEngineImage",
        seen=(
            *(f"{library} … cannot open shared object file" for library in _LIBRARIES),
            "error while loading shared libraries:",
            "GLIBC_… not found",
            "GLIBCXX_… not found",
        ),
        only=lambda case: case.has_ended,
        take=(r"(?P<library>[\w.+-]+\.so[\w.]{0,40}): cannot open", r"(?P<library>GLIBC(?:XX)?_[\d.]+)"),
        message=("The image lacks the library {library}.", "The image lacks a library that the engine needs."),
        who="user",
        remedies=RELEASED,
    ),
)
"""The end of a chain of errors: only where nothing else in the whole log speaks."""
