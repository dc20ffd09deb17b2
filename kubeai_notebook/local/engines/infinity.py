"""Infinity, where the machine has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .external import Recipe

if TYPE_CHECKING:
    from .base import Launch


def recipe(launch: Launch, program: str, port: int) -> Recipe:
    """Source: KubeAI 0.22.1, the Infinity engine; the device and host are this machine's."""
    environment = {
        "INFINITY_MODEL_ID": str(launch.weights or launch.url.removeprefix("hf://").partition("?")[0]),
        "INFINITY_SERVED_MODEL_NAME": launch.name,
        "INFINITY_URL_PREFIX": "/v1",
        "INFINITY_ENGINE": "torch",
        "INFINITY_DEVICE": "cpu",
        "INFINITY_HOST": "127.0.0.1",
        "INFINITY_PORT": str(port),
        "DO_NOT_TRACK": "1",
    }
    return Recipe((program, "v2", *launch.arguments), environment, "/health")
