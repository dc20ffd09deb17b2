"""Weights that the engine cannot read, or that are not of the model that config.json describes."""

from __future__ import annotations

from kubeai_notebook.core.diagnosis.engine.remedies import LET_READ, advise
from kubeai_notebook.core.diagnosis.engine.rule import Rule

COPY_AGAIN = advise("Copy {file} again, with git-lfs installed.", "Copy the files again, with git-lfs installed.")

_UNREADABLE = (
    "while deserializing header",
    "incomplete metadata, file not fully covered",
    "invalid magic characters",
    "failed to read magic",
    "failed to read key-value pairs",
    "not within the file bounds",
    "key not found in model",
    "check_tensor_dims",
    "invalid payload size",
    "into an index-sized integer",
    "invalid load key, ",
    "PytorchStreamReader failed",
    "Unable to load weights from pytorch checkpoint file",
    "failed to read tensor info",
    "Protobuf parsing failed",
    "error loading model: missing tensor",
    "error loading model: … split file",
    "error loading model hyperparameters: invalid",
    "failed to load GGUF split",
    "has invalid ggml type",
    "Error: File … is incomplete: failed to read",
    "GGUF file … Permission denied",
)

WEIGHTS: tuple[Rule, ...] = (
    Rule(
        code="WeightsUnreadable",
        seen=("header too large", "HeaderTooLarge", "invalid magic characters: 'vers", "invalid load key, 'v'"),
        message=("A weights file is a git-lfs pointer: a few lines of text in place of the weights.",),
        who="user",
        remedies=(COPY_AGAIN,),
    ),
    Rule(
        code="WeightsUnreadable",
        seen=("MemoryError",),
        only=lambda case: "in parse_safetensors_file_metadata" in case.above(12),
        message=("A weights file is a git-lfs pointer: a few lines of text in place of the weights.",),
        who="user",
        remedies=(COPY_AGAIN,),
    ),
    Rule(
        code="WeightsUnreadable",
        seen=("Unsupported global: GLOBAL ", "Unsupported class "),
        only=lambda case: case.has_ended and "weightsunpickler" in case.line.lower(),
        take=(r"(?:GLOBAL|class) (?P<object>[\w.]{1,120}?)\.? was not",),
        message=(
            "A weights file (.bin, .pt) holds {object} beside tensors, and PyTorch opens no such file for safety.",
            "A weights file (.bin, .pt) holds other things than tensors, and PyTorch opens no such file for safety.",
        ),
        who="user",
        remedies=(advise("Take a build in safetensors; what a training saved has to be converted into it first."),),
    ),
    Rule(
        # PyTorch's own reader of pickles gives the number of the first byte that it cannot make sense of.
        code="WeightsUnreadable",
        seen=("Unsupported operand ", "pickle data was truncated", "UnpicklingError: unpickling stack underflow"),
        unless=("operand type",),
        only=lambda case: case.has_ended,
        message=("A weights file (.bin, .pt) is damaged, cut off, or no weights file.",),
        who="user",
        remedies=(COPY_AGAIN,),
    ),
    Rule(
        code="WeightsUnreadable",
        seen=_UNREADABLE,
        take=(
            r"(?:load model from|GGUF file) '?(?P<file>[^\s']+?)(?: failed|[\s']|$)",
            r"tensor '(?P<tensor>[^']+)'",
            r"header: (?P<why>[^:]+)$",
        ),
        message=(
            "{file} is damaged, cut off, no weights file or not readable.",
            "A weights file is damaged or cut off ({why}).",
            "A weights file is damaged, cut off or not readable.",
        ),
        who="user",
        remedies=(COPY_AGAIN, LET_READ),
    ),
    Rule(
        # Of a whole file that is no projector llama.cpp says only this; of a damaged one the rows above know more.
        code="WeightsUnreadable",
        seen=("Failed to load CLIP model from", "failed to load multimodal model,"),
        take=(r"CLIP model from (?P<file>\S+)", r"multimodal model, '(?P<file>[^']+)'"),
        message=(
            "{file} is not the part that sees pictures (mmproj) of this model, or is newer than the engine.",
            "The part that sees pictures (mmproj) does not belong to this model, or is newer than the engine.",
        ),
        who="user",
        remedies=(advise("Name the mmproj file that lies beside the model's own, or set image to a newer release."),),
    ),
    Rule(
        code="ConfigWeightsMismatch",
        seen=("loading state_dict for", "size mismatch for", "exceeds dimension size"),
        take=(
            r"shape (?P<theirs>torch\.Size\([^)]*\)) from checkpoint",
            r"current model is (?P<ours>torch\.Size\([^)]*\))",
        ),
        message=(
            "The weights have shape {theirs} where config.json expects {ours}: they are of two models.",
            "The weights do not have the shapes that config.json expects: they are of two models.",
        ),
        who="user",
        remedies=(advise("Take config.json and the weights from one repository."),),
    ),
    Rule(
        code="ConfigWeightsMismatch",
        seen=(
            "weights were not initialized from checkpoint",
            "weights are not initialized from checkpoint",
            "There is no module or parameter named",
        ),
        take=(r"named '(?P<part>[^']+)' in (?P<architecture>\w+)",),
        message=(
            'The weights hold "{part}", which this version of the engine does not know in {architecture}.',
            "The weights have other parts than the engine expects of this architecture.",
        ),
        who="user",
        remedies=(advise("Take config.json and the weights from one repository, or set image to a newer release."),),
    ),
    Rule(
        code="ConfigWeightsMismatch",
        seen=("KeyError: '",),
        only=lambda case: any(words in case.above(6) for words in ("params_dict[", "in load_weights")),
        take=(r"KeyError: '(?P<part>[^']+)'",),
        message=(
            'The weights hold "{part}", which this version of the engine does not know in this architecture.',
            "The weights have other parts than the engine expects of this architecture.",
        ),
        who="user",
        remedies=(advise("Choose another build of the model, or set image to a newer release of the engine."),),
    ),
    Rule(
        code="ConfigWeightsMismatch",
        seen=("AssertionError",),
        only=lambda case: "loaded_weight.s" in case.above(3),
        message=("The weights do not have the shapes that config.json, or this release of the engine, expects.",),
        who="user",
        remedies=(advise("Take config.json and the weights from one repository, or set image to a newer release."),),
    ),
    Rule(
        code="ConfigWeightsMismatch",
        seen=("IndexError: index out of range in self",),
        # A client's own ids are refused before they come here, so a request that ends the engine shows it as well.
        only=lambda case: case.has_ended and (not case.had_started or "enginedeaderror" in case.passage.haystack),
        message=("The tokenizer, or config.json, knows more tokens or positions than the weights have.",),
        who="user",
        remedies=(advise("Take the tokenizer, config.json and the weights from one repository."),),
    ),
    Rule(
        code="ConfigWeightsMismatch",
        seen=("must match the size of tensor",),
        only=lambda case: "position_embedding" in case.above(4) + case.line,
        take=(r"tensor a \((?P<asked>\d{1,9})\).{0,80}tensor b \((?P<held>\d{1,9})\)",),
        message=(
            "Texts of {asked} tokens are let through, and the weights have positions for {held}.",
            "Longer texts are let through than the weights have positions for.",
        ),
        who="user",
        remedies=(
            advise(
                "Set max_seq_length (sentence_bert_config.json) or model_max_length (tokenizer_config.json) to {held}.",
                "Set a smaller max_seq_length (sentence_bert_config.json) or model_max_length (tokenizer_config.json).",
            ),
        ),
    ),
    Rule(
        code="ConfigWeightsMismatch",
        seen=("must match the size of tensor",),
        only=lambda case: "in add_lora" not in case.passage.haystack and "add_lora method" not in case.passage.haystack,
        message=("The weights do not have the shapes that config.json expects: they are of two models.",),
        who="user",
        remedies=(advise("Take config.json and the weights from one repository."),),
    ),
)
