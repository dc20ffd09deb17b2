"""How Kubernetes behaves, as far as our slice of its API goes: pure."""
