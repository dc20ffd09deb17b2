"""Weights from an S3 store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.weight_files import usable_files

from .convert import converted
from .kept_files import below, kept, place_of
from .progress import no_larger, watched

if TYPE_CHECKING:
    from pathlib import Path


def from_s3(reference: str, kind: str, *, part: Path, doubted: bool) -> Path:
    """Into a folder beside ``part``, moved there when it is whole."""
    import boto3

    bucket, _, prefix = reference.partition("/")
    client = boto3.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    listed = {item["Key"]: item for page in pages for item in page.get("Contents", ())}
    inside = prefix.rstrip("/") + "/" if prefix else ""
    objects = {key.removeprefix(inside): item for key, item in listed.items() if key.startswith(inside)}
    if prefix in listed:
        objects = {prefix.rpartition("/")[2]: listed[prefix]}
    listed_sizes = {name: int(item["Size"]) for name, item in objects.items()}
    choice = usable_files(listed_sizes, kind, where=f"s3://{reference}")
    names = choice.files
    # Another version of an object has another ETag, and so another place here.
    version = hashlib.sha256("".join(objects[name]["Key"] + objects[name]["ETag"] for name in names).encode())
    target = part.parent / f"s3-{version.hexdigest()[:16]}"
    files, sizes = below(target, names, where=f"s3://{reference}"), {name: listed_sizes[name] for name in names}

    def fetched() -> Path:
        with watched(part, name=f"s3://{reference}", total=sum(sizes.values())):
            for name in names:
                path, key = part / target.name / name, objects[name]["Key"]
                path.parent.mkdir(parents=True, exist_ok=True)
                refusal = LocalError(f"s3://{bucket}/{key} is larger than its store lists it. Try again.")
                with no_larger(sizes[name], refusal):
                    client.download_file(bucket, key, str(path))
        return part / target.name

    kept(target, files, fetched, sizes=sizes, doubted=doubted)
    if choice.form != "safetensors":
        return place_of(list(files.values()))
    made = target.with_suffix(".gguf")
    return made if made.is_file() else converted(files, made, where=f"s3://{reference}", part=part)
