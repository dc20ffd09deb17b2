"""The slice of the Kubernetes REST API that our client and kubectl use."""
