"""KubeAI's rules about a Model: what an API server refuses, and what the operator then fails on without a word."""
