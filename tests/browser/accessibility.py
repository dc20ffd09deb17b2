"""What axe-core, the checker that browsers' developers use, says of a part of a page.

Only faults that it calls serious or critical count: of the others many concern the whole page, which is JupyterLab's.
Nothing is left out for ipywidgets' controls: none of those that are used here has such a fault.
"""

from __future__ import annotations

from typing import Any

from tests.support.wheel import REPOSITORY

AXE = REPOSITORY / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
# JupyterLab's body clips what leaves it and has no height, so axe would take all of the page for hidden.
FAULTS = """async (part) => {
  document.body.style.height = "100vh";
  const { violations } = await axe.run(part, { resultTypes: ["violations"] });
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 300)} ${failureSummary}`));
}"""


def serious_faults(part: Any) -> list[str]:
    """What stands in the way of a reader who does not see, or sees little."""
    if not part.page.evaluate("() => 'axe' in window"):
        part.page.evaluate(AXE.read_text(encoding="utf-8"))
    return list(part.evaluate(FAULTS))
