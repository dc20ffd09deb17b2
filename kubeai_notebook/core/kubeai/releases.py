"""What changed between releases of KubeAI: one row a behaviour, with the releases that have it.

Nothing else compares versions. A cluster's version is often not known (it is read from the operator's image, which
not everybody may see), so a row answers None then, and who asks decides which error is the smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass

Release = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Something that KubeAI does in some of its releases."""

    since: Release
    before: Release | None = None
    """The first release that does it no more."""

    def holds(self, version: str | None) -> bool | None:
        """Whether KubeAI of this version does it; None where the version is not known.

        >>> NARROW_URLS.holds("v0.23.2"), NARROW_URLS.holds("0.22.1"), NARROW_URLS.holds("latest")
        (True, False, None)
        """
        release = release_of(version)
        if release is None:
            return None
        return self.since <= release and (self.before is None or release < self.before)


def release_of(version: object) -> Release | None:
    """The release that a version such as ``v0.23.2`` or ``0.23.2-rc1`` names; None where it names none."""
    parts = version.removeprefix("v").partition("-")[0].split(".") if isinstance(version, str) else []
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return None
    major, minor, patch = map(int, parts)
    return major, minor, patch


NARROW_URLS = Behaviour(since=(0, 23, 2))
"""A url may hold few characters only; the operator refuses others, and only its log says so."""
PULLS_NOTHING = Behaviour(since=(0, 23, 2), before=(0, 23, 5))
"""The startup probe of OLlama pulls no model, so that a Pod is ready and answers 404 (KubeAI's issue 721)."""
LABELS_ON_PODS = Behaviour(since=(0, 23, 2))
"""A Model's own labels are on its Pods too, but for those that KubeAI sets itself."""
