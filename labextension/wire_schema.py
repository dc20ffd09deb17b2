"""Write the JSON schema of what views and their kernel, or the Jupyter server, send each other, for ``jlpm types``."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from kubeai_notebook.present.embedding_wire import EmbeddingWidgets
from kubeai_notebook.present.form_wire import FormWidgets
from kubeai_notebook.present.playground_wire import PlaygroundMessage, PlaygroundRequest, PlaygroundState
from kubeai_notebook.present.server_wire import Changes, CodeText, Contexts, Done, Events, LogText, Problem, Where
from kubeai_notebook.present.trial_wire import TrialWidget
from kubeai_notebook.present.wire import Card, ModelsTable, Request, RequestProgress

_SERVER = (Where, Contexts, Changes, Problem, Done, Events, LogText, CodeText)
FAMILIES = {
    "Request": (Request, Card, RequestProgress, ModelsTable, *_SERVER),
    "FormWidgets": (FormWidgets,),
    "EmbeddingWidgets": (EmbeddingWidgets,),
    "TrialWidget": (TrialWidget,),
    "PlaygroundState": (PlaygroundState, PlaygroundMessage, PlaygroundRequest),
}
"""By the type that stands first in its file."""


class _Sent(GenerateJsonSchema):
    """As the browser sees it: a field with a default is always there, and is no type of its own."""

    def field_is_required(self, *_args: Any, **_keywords: Any) -> bool:
        return True

    def field_title_should_be_set(self, *_args: Any, **_keywords: Any) -> bool:
        return False


_, schema = models_json_schema([(model, "serialization") for model in FAMILIES[sys.argv[1]]], schema_generator=_Sent)
sys.stdout.write(json.dumps({**schema["$defs"].pop(sys.argv[1]), **schema}))
