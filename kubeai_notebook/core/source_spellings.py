"""How people write where a model is, read as the url that KubeAI takes.

People paste the page of a hub, type the name that ``ollama run`` takes, or ``org/model``. KubeAI reads none of these:
it admits ``scheme://reference`` only. Nothing that is such a url is read in another way, so a spelling is added here
without changing what anybody's url means. What is made of a spelling is always said, as something that was inferred.

Sources: the pages of huggingface.co and ollama.com; ``ollama://hf.co/org/repository:QUANTIZATION`` is how Ollama itself
names the GGUF files of a repository.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .messages import nearest
from .notice import Notice, wrong

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SCHEMES = {
    "hf": "hf", "huggingface": "hf", "ollama": "ollama", "s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "oss": "oss",
    "pvc": "pvc",
}  # fmt: skip
"""What people write for a scheme, and KubeAI's word for it."""
_WORD = r"[A-Za-z0-9][A-Za-z0-9._-]*"
# An organisation has no dot: that would be the name of a host.
_ORGANISATION = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_SCHEME = re.compile(rf"(?P<scheme>{'|'.join(_SCHEMES)}):(?P<slashes>/*)(?P<rest>[^/].*)", re.I | re.DOTALL)
_PAGE = re.compile(
    r"(?:https?://(?:[^/@]*@)?)?(?:www\.)?"
    r"(?P<host>huggingface\.co|hf\.co|ollama\.com|ollama\.ai|registry\.ollama\.ai)/(?P<path>[^?#]*)(?:[?#].*)?",
    re.I | re.DOTALL,
)
_REPOSITORY = re.compile(rf"(?:(?:huggingface|hf)/)?(?P<name>{_ORGANISATION}/{_WORD})")
_TAGGED = re.compile(rf"(?:ollama/)?(?P<name>(?:{_ORGANISATION}/)?{_WORD}:{_WORD})|ollama/(?P<untagged>{_WORD})")
_GGUF = re.compile(r"[-_.]gguf\b", re.I)
_QUANTIZATION = re.compile(r"[-_.](?P<name>I?Q[0-9](?:_[A-Z0-9]+)*|BF16|F16|F32|MXFP4)(?:-\d{5}-of-\d{5})?\.gguf", re.I)
_FILE = re.compile(r"file:.*|[.~]{0,2}[/\\].*|[A-Za-z]:[/\\].*|(?!.*://).*\.(gguf|safetensors)", re.I | re.DOTALL)
_ANY_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{1,19})(?:://?|//)(?P<rest>[^/\s][^\s]*)", re.DOTALL)
_BUCKET, _PATH = r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])", r"(?P<path>[^?#\s]+)(?:[?#]\S*)?"
_BUCKETS = tuple(
    (scheme, re.compile(rf"https?://{host}/{rest}{_PATH}", re.I))
    for scheme, host, rest in (
        ("s3", rf"{_BUCKET}\.s3[a-z0-9.-]*\.amazonaws\.com", ""),
        ("s3", r"s3[a-z0-9.-]*\.amazonaws\.com", f"{_BUCKET}/"),
        ("gs", r"storage\.googleapis\.com", f"{_BUCKET}/"),
        ("gs", rf"{_BUCKET}\.storage\.googleapis\.com", ""),
        ("oss", rf"{_BUCKET}\.oss-[a-z0-9-]+\.aliyuncs\.com", ""),
    )
)
"""Web addresses of objects in buckets, as the stores' consoles show them."""
_OTHER_PAGES = frozenset({
    "datasets", "spaces", "collections", "docs", "papers", "blog", "models", "organizations", "settings", "tasks",
    "pricing", "join", "login", "new", "notifications", "chat", "learn", "enterprise", "support", "api", "search",
    "posts", "terms-of-service", "inference-endpoints",
})  # fmt: skip
"""Parts of huggingface.co that hold no models, so no organisation has such a name."""
_OTHER_PAGES_OF_OLLAMA = frozenset({
    "library", "search", "models", "blog", "download", "docs", "settings", "signin", "signup", "pricing", "cloud",
    "public", "api", "privacy", "terms", "discord", "install", "turbo",
})  # fmt: skip
_CODE = "InvalidModelUrl"
UNSEEN = "which no Pod sees"
_LONGEST, _LONGEST_NAME = 2000, 80
_LIBRARY = "a model of Ollama's library"
_HUB = "a repository of Hugging Face"


class Reading(NamedTuple):
    """The url that was meant, and why it is thought so."""

    url: str
    why: str


def read_spelling(text: str) -> Reading | None:
    """The url that a spelling stands for; ``None`` where it is a url of KubeAI's already, or cannot be told.

    >>> read_spelling("qwen3:0.6b").url
    'ollama://qwen3:0.6b'
    >>> read_spelling("https://huggingface.co/org/model/tree/main").url
    'hf://org/model'
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    if page := _PAGE.fullmatch(text):
        return _of_page(page["host"].lower(), page["path"])
    if _FILE.fullmatch(text):
        return None
    if match := _SCHEME.fullmatch(text):
        return _of_scheme(match["scheme"], match["slashes"], match["rest"])
    if match := _TAGGED.fullmatch(text):
        name = match["name"] or match["untagged"]
        return (
            _of_repository(name, _HUB) if _GGUF.search(name) and "/" in name else Reading(f"ollama://{name}", _LIBRARY)
        )
    match = _REPOSITORY.fullmatch(text)
    holds_models = match and match["name"].split("/")[0].lower() not in _OTHER_PAGES
    return _of_repository(match["name"], _HUB) if match and holds_models else None


def path_in(url: object) -> str:
    """The path of this machine that was given as a url; ``""`` where it is something else.

    >>> path_in("file:///data/m.gguf"), path_in("hf://org/model")
    ('/data/m.gguf', '')
    """
    text = url.strip() if isinstance(url, str) else ""
    return re.sub(r"(?i)\Afile:(//)?", "", text) if len(text) <= _LONGEST and _FILE.fullmatch(text) else ""


def names_and_urls(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Which of the words that stand without an option, at most two, are names, and which are urls.

    No name holds a colon or a slash, and of two words that could be names the second stands in the url's place.

    >>> names_and_urls(["smol", "llama3.2"])
    (['smol'], ['llama3.2'])
    """
    words = list(words)
    urls = [word for word in words if re.search(r"[:/\\]", word) or _FILE.fullmatch(word)]
    names = [word for word in words if word not in urls]
    return (names[:1], names[1:]) if len(names) > 1 else (names, urls)


def no_scheme(text: str, schemes: Iterable[str]) -> Notice:
    """What is said of a url that has no scheme KubeAI knows and is no spelling of one."""
    # Only a url that is refused loads these.
    from .masking import quoted
    from .remedy import Remedy, SetField

    shown, text = quoted(text), text.strip()
    if _FILE.fullmatch(text):
        return wrong("url", _CODE, " ".join([f"The url {shown} is a path of this machine, {UNSEEN}.", *_ways(text)]))
    if _PAGE.fullmatch(text):
        return wrong("url", _CODE, f"The page {shown} shows no model. Give one such as huggingface.co/org/model.")
    if text.lower().startswith("store://"):
        message = f"The url {shown} names an entry of the platform's store, which KubeAI does not read."
        return wrong("url", _CODE, f"{message} Give the url that the entry itself holds, such as hf:// or s3://.")
    if meant := _meant(text):
        remedy = Remedy(title=f"Did you mean {quoted(meant)}?", changes=(SetField(name="url", value=meant),))
        return wrong("url", _CODE, f"The url {shown} has no scheme that KubeAI knows.", remedy)
    *others, last = (f"{scheme}://" for scheme in schemes)
    is_name = re.fullmatch(_WORD, text) and len(text) <= _LONGEST_NAME and text in shown
    in_library = f"ollama://{text}" if is_name else "ollama://name:tag"
    message = f"The url {shown} has no scheme that KubeAI knows. Start it with {', '.join(others)} or {last}, as in"
    if not is_name:
        return wrong("url", _CODE, f"{message} hf://org/model or {in_library}.")
    remedy = Remedy(title=f'Did you mean "{in_library}"?', changes=(SetField(name="url", value=in_library),))
    return wrong("url", _CODE, f"{message} hf://org/model.", remedy)


def _meant(text: str) -> str:
    """The url that one with an unknown scheme seems to mean: of a bucket's web address, or of a scheme misspelt."""
    for scheme, pattern in _BUCKETS:
        if match := pattern.fullmatch(text):
            return f"{scheme}://{match['bucket']}/{match['path']}"
    match = _ANY_SCHEME.fullmatch(text)
    near = nearest(match["scheme"], _SCHEMES) if match else ""
    return f"{_SCHEMES[near]}://{match['rest']}" if match and near else ""


def _ways(path: str) -> Iterator[str]:
    """What can be done with a file or folder of this machine."""
    from .masking import masked

    stem, _, ending = re.split(r"[/\\]", path)[-1].rpartition(".")
    if ending.lower() == "gguf":
        named = re.fullmatch(_WORD, stem) and len(stem) <= _LONGEST_NAME and masked(stem) == stem
        url = f"ollama://{stem.lower() if named else 'mine'}"
        file = path_in(path)
        shown = file if masked(file) == file and not set('"$`') & set(file) and file.isprintable() else "FILE"
        yield f'KubeAI on this machine serves it as {url} after kubeai-local add "{url}={shown}".'
    yield "For a cluster, put it on a volume (pvc://claim/path) or in a bucket (s3://bucket/path)."


def _of_scheme(written: str, slashes: str, rest: str) -> Reading | None:
    scheme = _SCHEMES[written.lower()]
    page = _PAGE.fullmatch(rest)
    if page and (scheme == "hf" or rest.lower().startswith("http") or "ollama" in page["host"].lower()):
        return _of_page(page["host"].lower(), page["path"])
    return None if (written, slashes) == (scheme, "//") else Reading(f"{scheme}://{rest}", f"KubeAI writes {scheme}://")


def _of_page(host: str, path: str) -> Reading | None:
    parts = [part for part in path.split("/") if part]
    if "ollama" in host:
        parts = parts[1:2] if parts[:1] == ["library"] else parts[:2]
        holds_models = parts and parts[0].lower() not in _OTHER_PAGES_OF_OLLAMA
        return Reading(f"ollama://{'/'.join(parts)}", f"a page of {host}") if holds_models else None
    if parts[:2] == ["api", "models"]:
        parts = parts[2:]
    if len(parts) < 2 or parts[0] in _OTHER_PAGES:
        return None
    revision = parts[3] if parts[2:3] and parts[2] in ("tree", "blob", "resolve", "raw") and parts[3:4] else ""
    name, file = "/".join(parts[:2]), parts[-1] if len(parts) > 4 else ""
    if file.lower().endswith(".gguf"):
        quantization = _QUANTIZATION.search(file)
        name, kind = f"{name}:{quantization['name'].upper() if quantization else file}", "file"
    else:
        kind = "page"
    reading = _of_repository(name, f"a {kind} of {host}")
    if revision in ("", "main"):
        return reading
    if reading.url.startswith("hf://"):
        return reading._replace(url=f"{reading.url}?revision={revision}")
    return reading._replace(why=f'{reading.why}, of the branch main alone, not those of "{revision}"')


def _of_repository(name: str, why: str) -> Reading:
    """Of a repository of GGUF files by Ollama, which is what loads them; of any other by the hub's own scheme."""
    if ":" in name or _GGUF.search(name):
        return Reading(f"ollama://hf.co/{name}", f"{why}; Ollama loads GGUF files")
    return Reading(f"hf://{name}", why)
