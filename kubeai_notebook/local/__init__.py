"""`kubeai-local`: a single-machine KubeAI that serves Kubernetes' API, KubeAI's gateway and real engines."""
