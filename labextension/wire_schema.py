"""Write the JSON schema of what the kernel sends to the widgets; ``jlpm types`` turns it into TypeScript."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from kubeai_notebook.present.wire import Card


class _Sent(GenerateJsonSchema):
    """As the browser sees it: a field with a default is always there, and is no type of its own."""

    def field_is_required(self, *_args: Any, **_keywords: Any) -> bool:
        return True

    def field_title_should_be_set(self, *_args: Any, **_keywords: Any) -> bool:
        return False


sys.stdout.write(json.dumps(Card.model_json_schema(mode="serialization", schema_generator=_Sent)))
