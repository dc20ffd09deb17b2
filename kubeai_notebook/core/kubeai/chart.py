"""What KubeAI's chart 0.22 configures when nobody says otherwise; ``local/operator/system.yaml`` holds the same."""

from __future__ import annotations

import re
from typing import Any, Final

# Docker Hub's images have an owner and a name; the chart 0.22 and 0.23 write the tag of AMD's as a third part.
_IN_NO_REPOSITORY = re.compile(r"(?:docker\.io/)?(?P<name>[a-z0-9_-]+/[a-z0-9_-]+)/(?P<tag>[\w.-]+)(?::latest)?")


def meant_image(image: str) -> str:
    """The image of Docker Hub that is meant by one whose tag follows a slash; ``""`` for any other.

    >>> meant_image("rocm/vllm/rocm6.4.1_vllm_0.10.1")
    'rocm/vllm:rocm6.4.1_vllm_0.10.1'
    """
    match = _IN_NO_REPOSITORY.fullmatch(image)
    return f"{match['name']}:{match['tag']}" if match else ""


def _tolerating(resource: str) -> dict[str, Any]:
    return {"tolerations": [{"key": resource, "operator": "Equal", "value": "present", "effect": "NoSchedule"}]}


_L4 = {
    **_tolerating("nvidia.com/gpu"),
    "imageName": "nvidia-gpu",
    "requests": {"nvidia.com/gpu": "1", "cpu": "6", "memory": "24Gi"},
    "limits": {"nvidia.com/gpu": "1"},
}
_UNTAINTED = {"imageName": "nvidia-gpu", "limits": {"nvidia.com/gpu": "1"}}
_LIMITED = {**_UNTAINTED, **_tolerating("nvidia.com/gpu")}

CHART: Final[dict[str, Any]] = {
    "secretNames": {
        "alibaba": "kubeai-alibaba",
        "aws": "kubeai-aws",
        "gcp": "kubeai-gcp",
        "huggingface": "kubeai-huggingface",
    },
    "resourceProfiles": {
        "cpu": {"imageName": "cpu", "requests": {"cpu": 1, "memory": "2Gi"}},
        "nvidia-gpu-t4": {**_UNTAINTED, "requests": {"nvidia.com/gpu": "1"}},
        "nvidia-gpu-l4": _L4,
        "nvidia-gpu-l40s": _L4,
        "nvidia-gpu-h100": _LIMITED,
        "nvidia-gpu-a100-80gb": _LIMITED,
        "nvidia-gpu-a100-40gb": _LIMITED,
        "nvidia-gpu-a16": _LIMITED,
        "nvidia-gpu-rtx4070-8gb": _LIMITED,
        "nvidia-gpu-gh200": {**_LIMITED, "imageName": "gh200", "requests": {"nvidia.com/gpu": "1"}},
        "amd-gpu-mi300x": {"imageName": "amd-gpu", "limits": {"amd.com/gpu": "1"}, **_tolerating("amd.com/gpu")},
    },
    "cacheProfiles": {},
    "modelServers": {
        "OLlama": {
            "images": {
                "default": "ollama/ollama:0.11.11",
                "nvidia-gpu": "ollama/ollama:0.11.11",
                "amd-gpu": "ollama/ollama:0.11.11-rocm",
            }
        },
        "VLLM": {
            "images": {
                "default": "vllm/vllm-openai:v0.10.2",
                "nvidia-gpu": "vllm/vllm-openai:v0.10.2",
                "cpu": "public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.10.2",
                "google-tpu": "vllm/vllm-tpu:23194d83e8f2a6783b0d8c275f5f8a22faab9aec",
                "gh200": "vllm/vllm-openai:v0.10.2",
                "amd-gpu": "rocm/vllm/rocm6.4.1_vllm_0.10.1_20250909",
            }
        },
        "FasterWhisper": {
            "images": {
                "default": "fedirz/faster-whisper-server:latest-cpu",
                "nvidia-gpu": "fedirz/faster-whisper-server:latest-cuda",
            }
        },
        "Infinity": {
            "images": {
                "default": "michaelf34/infinity:0.0.77",
                "cpu": "michaelf34/infinity:0.0.77-cpu",
                "amd-gpu": "michaelf34/infinity:0.0.77-rocm",
                "nvidia-gpu": "michaelf34/infinity:0.0.77",
            },
        },
    },
    "modelServerPods": {
        "securityContext": {
            "readOnlyRootFilesystem": False,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    },
    "modelRollouts": {"surge": 1},
    "modelAutoscaling": {"interval": "10s", "timeWindow": "10m"},
}
