"""Inference engines as processes of their own."""
