"""What there is to choose from: the operator's configuration, KubeAI's chart, known models to start from."""
