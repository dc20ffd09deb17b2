"""Names: what Kubernetes, KubeAI and the gateway accept, and how a name is made from something else."""

from __future__ import annotations

import re
import unicodedata

from kubeai_notebook.core.notice import Notice, wrong
from kubeai_notebook.errors import SpecError

from .masking import masked, quoted
from .remedy import Remedy, SetField

MAX_NAME_LENGTH = 40
"""KubeAI's rule on ``metadata.name``, in characters."""
MAX_GENERATED_LENGTH = 39
"""The platform cuts the names it makes one character earlier."""
MAX_LABEL_LENGTH = 63
"""Of a label's value, and of its name behind the slash; Kubernetes' own rule."""
SUFFIX_LENGTH = 6
_LONGEST_READ = 1000

# RFC 1123 subdomain: dots are legal; the underscore is not, and separates adapters at the gateway.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def check_name(name: str) -> list[Notice]:
    """Return what is wrong with a Model's name, with a change to one that is right; an empty list when nothing is."""
    if len(name) > MAX_NAME_LENGTH:
        code = "NameTooLong"
        message = f"The name {quoted(name, 50)} has {len(name)} characters; KubeAI takes {MAX_NAME_LENGTH} at most."
    elif not _NAME.fullmatch(name):
        code = "InvalidName"
        message = f'The name {quoted(name)} may hold only small letters, digits, "-" and ".".'
    else:
        return []
    meant = sanitized(name[:_LONGEST_READ]) if masked(name) == name else ""
    if not meant:
        return [wrong("name", code, f"{message} Start and end with a letter or a digit.")]
    remedy = Remedy(title=f'Call it "{meant}".', changes=(SetField(name="name", value=meant),))
    return [wrong("name", code, message, remedy)]


def check_namespace(namespace: str, here: str = "") -> list[Notice]:
    """What is wrong with the namespace of a Model; ``here``: the one that its Session works in, where that is known.

    >>> [notice.code for notice in (*check_namespace("team"), *check_namespace("My Team"), *check_namespace("a", "b"))]
    ['InvalidNamespace', 'WrongNamespace']
    """
    if not _LABEL.fullmatch(namespace):
        message = (
            f"The namespace {quoted(namespace)} may hold only small letters, digits and "
            f'"-", {MAX_LABEL_LENGTH} at most, with a letter or a digit at both ends.'
        )
        meant = label_word(sanitized(namespace[:_LONGEST_READ]).replace(".", "-"))
        change = (Remedy(title=f'Call it "{meant}".', changes=(SetField(name="namespace", value=meant),)),)
        return [wrong("namespace", "InvalidNamespace", message, *(change if meant else ()))]
    if here and namespace != here:
        message = f'This Session works in namespace "{here}". Use Session(namespace="{namespace}").'
        return [wrong("namespace", "WrongNamespace", message)]
    return []


def sanitized(text: str) -> str:
    """Turn any text into a legal name of at most 39 characters; ``""`` when nothing is left.

    >>> sanitized("Qwen2.5_0.5B Instruct")
    'qwen2.5-0.5b-instruct'
    >>> sanitized("modèle")
    'modele'
    """
    # Accents stand apart from their letters then, and go.
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    cleaned = re.sub(r"[^a-z0-9.]+", "-", plain.lower())
    cleaned = re.sub(r"[-.]*\.[-.]*", ".", cleaned)
    return cleaned[:MAX_GENERATED_LENGTH].strip("-.")


def label_word(text: str) -> str:
    """Turn any text into what the name or the value of a label may be; ``""`` when nothing is left.

    >>> label_word("Data science!")
    'Data-science'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text[:_LONGEST_READ])[:MAX_LABEL_LENGTH].strip("-_.")


def unique_name(name: str, suffix: str) -> str:
    """Append a random suffix as the platform does, cutting the name and never the suffix.

    >>> unique_name("tinyllama-chat", "123xyz")
    'tinyllama-chat-123xyz'

    Raises:
        SpecError: the suffix is not six small letters or digits.
    """
    if not re.fullmatch(rf"[a-z0-9]{{{SUFFIX_LENGTH}}}", suffix):
        raise SpecError([wrong("name", "InvalidName", f'The suffix "{suffix}" is not six small letters or digits.')])
    head = sanitized(name)[: MAX_GENERATED_LENGTH - SUFFIX_LENGTH - 1].rstrip("-.")
    return f"{head}-{suffix}" if head else suffix


def request_name(name: str, adapter: str | None = None) -> str:
    """The model id that the gateway expects: ``<name>`` or ``<name>_<adapter>``."""
    return f"{name}_{adapter}" if adapter else name


def name_and_adapter(request_name: str) -> tuple[str, str]:
    """The Model's name and its adapter's, ``""`` for none: no name of a Model holds an underscore.

    >>> name_and_adapter("smol_terse")
    ('smol', 'terse')
    """
    name, _, adapter = request_name.partition("_")
    return name, adapter
