"""Weights on this machine: what lies here, what can be had, and a process that fetches it."""

from .weights import Listed, Weights, shipped_packages

__all__ = ["Listed", "Weights", "shipped_packages"]
