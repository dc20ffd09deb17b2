"""What a Model is asked to do and its engine cannot."""

from __future__ import annotations

from kubeai_notebook.core.diagnosis.engine.remedies import advise, drop_argument, set_features
from kubeai_notebook.core.diagnosis.engine.rule import Rule

FEATURES: tuple[Rule, ...] = (
    Rule(
        code="FeatureMismatch",
        seen=("does not have a padding token",),
        message=('"{name}" generates text; Infinity serves embedding and reranking models only.',),
        who="user",
        remedies=(advise("Make the Model anew with engine VLLM and feature TextGeneration."),),
    ),
    Rule(
        code="FeatureMismatch",
        seen=(
            "Embedding models do not support",
            "does not support generate",
            "does not support the 'generate' task",
            "does not support `--runner generate`",
        ),
        message=('"{name}" is an embedding model and cannot generate text.',),
        who="user",
        remedies=(
            set_features("TextEmbedding"),
            drop_argument("--runner", "--task"),
        ),
    ),
    Rule(
        code="FeatureMismatch",
        seen=(
            "does not support `--runner pooling`",
            "does not support the 'embed' task",
            "does not support the 'embedding' task",
            "does not support the 'score' task",
            "does not support the 'reward' task",
            "does not support the 'classify' task",
        ),
        message=('"{name}" generates text, and is asked to embed, score or classify it.',),
        who="user",
        remedies=(
            set_features("TextGeneration"),
            drop_argument("--runner", "--task"),
            advise("Or have it pool what it computes: --convert embed."),
        ),
    ),
)
