"""The Kubernetes API: the only room that imports ``kubernetes``."""
