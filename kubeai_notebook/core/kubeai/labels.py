"""The labels by which KubeAI finds what is a Model's."""

FEATURE_LABEL = "features.kubeai.org/"
"""On a Model, before the name of each feature: KubeAI writes them when it first sees the Model."""
ADAPTER_LABEL = "adapter.kubeai.org/"
"""On a Pod, before the name of each LoRA adapter that it has loaded."""
