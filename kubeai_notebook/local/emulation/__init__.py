"""How Kubernetes and KubeAI behave, as far as the daemon plays them; pure, and tested as such."""
