"""How KubeAI itself behaves: pure, as its source and a cluster show it."""
