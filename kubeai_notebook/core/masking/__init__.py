"""What is a secret, and how it is hidden: the one place that knows.

Everything that shows a Model's arguments, variables, logs or reports asks here, so that no
face masks by rules of its own. What is masked is the value, never its neighbour.

`names` decides by the name before a value, `shapes` by the value itself, `named` and `urls` find
both in running text, `spellings` says how others write a value, `text` hides what they find, and
`model` knows where a Model keeps secrets.
A Model's own values are hidden wherever they show (`secret_values`), whatever they look like: no
list of shapes can know that somebody's password is "swordfish".

What is left alone: numbers behind names that count tokens, hashes, uuids, names of models, paths,
urls without a login. A log with such words masked explains nothing any more.
"""

from .model import (
    hidden_in_args,
    holds_secret,
    masked_args,
    masked_content,
    masked_env,
    masked_spec,
    masked_texts,
    secret_values,
)
from .names import is_secret_name
from .text import MASK, masked, masked_lines, masked_repr, quoted

__all__ = [
    "MASK",
    "hidden_in_args",
    "holds_secret",
    "is_secret_name",
    "masked",
    "masked_args",
    "masked_content",
    "masked_env",
    "masked_lines",
    "masked_repr",
    "masked_spec",
    "masked_texts",
    "quoted",
    "secret_values",
]
