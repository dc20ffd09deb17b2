"""Vectors as points of a plane: by numpy's own PCA, or by UMAP where umap-learn is installed.

PCA takes a second for 50,000 texts and needs nothing, so it is what a map shows unless its reader asks for UMAP, whose
groups stand farther apart and which takes minutes. A principal component has no sign of its own: the one that each gets
here does not change from run to run, so a map looks as it did yesterday.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from kubeai_notebook.errors import UsageError

if TYPE_CHECKING:
    from kubeai_notebook.calls.embed_many import Array

Projection = Literal["pca", "umap"]
_FEWEST_OF_UMAP = 4
"""Texts; of fewer it cannot make a graph."""


def check_projection(projection: str) -> None:
    """Refuse a projection that is not there, before a text is embedded.

    Raises:
        UsageError: there is none of this name, or umap-learn is not installed.
    """
    if projection not in get_args(Projection):
        raise UsageError(f'projection= takes "pca" or "umap", not {projection!r}.')
    if projection == "umap":
        try:
            import umap  # noqa: F401
        except ImportError:
            hint = 'pip install umap-learn, or projection="pca", which needs nothing.'
            raise UsageError('projection="umap" needs umap-learn, which is not installed.', hint) from None


def project(vectors: Array, projection: Projection) -> Array:
    """The points of vectors, n x 2, between -1 and 1; NaN where the vector is NaN."""
    points = np.full((len(vectors), 2), np.nan, dtype=np.float32)
    known = np.isfinite(vectors).all(axis=1)
    if known.any():
        by_umap = projection == "umap" and known.sum() >= _FEWEST_OF_UMAP
        points[known] = _within_one(_umap(vectors[known]) if by_umap else _principal(vectors[known]))
    return points


def _principal(vectors: Array) -> Array:
    """The two directions in which the vectors differ most."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    two = directions[:, ::-1][:, :2]
    largest = np.abs(two).argmax(axis=0)
    two = two * np.where(two[largest, range(two.shape[1])] < 0, -1, 1)
    points = np.zeros((len(vectors), 2), dtype=np.float32)
    points[:, : two.shape[1]] = centred @ two
    return points


def _umap(vectors: Array) -> Array:
    import umap

    neighbours = min(15, len(vectors) - 1)
    made = umap.UMAP(n_neighbors=neighbours, metric="cosine", random_state=0).fit_transform(vectors)
    return np.asarray(made, dtype=np.float32)


def _within_one(points: Array) -> Array:
    """Moved and scaled, both axes alike: distances keep their proportions."""
    lowest, highest = points.min(axis=0), points.max(axis=0)
    half = float((highest - lowest).max()) / 2 or 1.0
    return np.asarray((points - (lowest + highest) / 2) / half, dtype=np.float32)
