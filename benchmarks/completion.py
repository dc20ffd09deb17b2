"""What Tab costs in a cell: the median of each line's completions, as the kernel asks for them. The bar is 50 ms."""

from __future__ import annotations

import statistics
import sys
import time

from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

LINES = ("%kubeai_serve --en", "%kubeai_delete s", "%kubeai_serve a --profile nv", "%kubeai_")
RUNS = 20
BAR_SECONDS = 0.05


def main() -> int:
    """Print a row a line; 1 when one is over the bar."""
    shell = InteractiveShell.instance()
    shell.extension_manager.load_extension("kubeai_notebook")
    medians = {line: statistics.median(_seconds(shell, line) for _ in range(RUNS)) for line in LINES}
    for line, seconds in medians.items():
        verdict = "met" if seconds <= BAR_SECONDS else "NOT met"
        print(f"{line:30} {1_000 * seconds:8.2f} ms   bar {1_000 * BAR_SECONDS:g} ms: {verdict}")
    return int(max(medians.values()) > BAR_SECONDS)


def _seconds(shell: InteractiveShell, line: str) -> float:
    started = time.perf_counter()
    with provisionalcompleter():
        list(shell.Completer.completions(line, len(line)))
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
