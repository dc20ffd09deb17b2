"""What KubeAI's operator, the scheduler and the kubelet do in a cluster."""
