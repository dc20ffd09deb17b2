"""What ``%load_ext kubeai_notebook`` costs a kernel, beside extensions that people load today.

CPU seconds and new modules of one ``%load_ext`` in a fresh IPython shell each time; the baselines are
installed from ``baselines/load_ext.txt`` into a venv of their own, and run in turn with ours.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
OURS = "kubeai_notebook"
BASELINES = {"jupyter_ai_magics": "jupyter_ai_magics", "jupysql": "sql", "ipyparallel": "ipyparallel"}
HEAVY = ("kubernetes", "openai", "pandas", "pydantic", "ipywidgets", "anywidget")
RUNS = 5
CPU_SECONDS_BAR, MODULES_BAR = 0.10, 60

PROBE = """
import json, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before, started = set(sys.modules), time.process_time()
shell.extension_manager.load_extension(sys.argv[1])
spent, new = time.process_time() - started, set(sys.modules) - before
print(json.dumps({"cpu_seconds": spent, "modules": len(new), "heavy": sorted(new & set(sys.argv[2:]))}))
"""


def main() -> int:
    """Print one row an extension; 1 when ours is over its bar."""
    other = _baseline_python()
    pythons = {OURS: sys.executable, **dict.fromkeys(BASELINES, str(other))}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in pythons}
    for _ in range(RUNS + 1):  # the first round warms the file cache
        for name, python in pythons.items():
            runs[name].append(_probe(python, BASELINES.get(name, name)))
    print(f"{'%load_ext':20} {'CPU s (median)':>14} {'min':>7} {'max':>7} {'modules':>8}  heavy modules")
    for name, rows in runs.items():
        seconds = [row["cpu_seconds"] for row in rows[1:]]
        cells = f"{statistics.median(seconds):14.3f} {min(seconds):7.3f} {max(seconds):7.3f} {rows[-1]['modules']:8}"
        print(f"{name:20} {cells}  {' '.join(rows[-1]['heavy']) or '-'}")
    ours = runs[OURS][1:]
    median = statistics.median(row["cpu_seconds"] for row in ours)
    good = median <= CPU_SECONDS_BAR and ours[-1]["modules"] <= MODULES_BAR and not ours[-1]["heavy"]
    print(f"bar: {CPU_SECONDS_BAR} s CPU, {MODULES_BAR} modules, none heavy: {'met' if good else 'NOT met'}")
    return 0 if good else 1


def _probe(python: str, extension: str) -> dict[str, float]:
    done = subprocess.run(
        [python, "-W", "ignore", "-c", PROBE, extension, *HEAVY], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def _baseline_python() -> Path:
    """The venv of the baselines, made once."""
    folder = HERE.parent / "build" / "bench-venv"
    python = folder / "bin" / "python"
    wanted = HERE / "baselines" / "load_ext.txt"
    done = folder / "installed.txt"
    if not done.is_file() or done.read_text() != wanted.read_text():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", wanted], check=True)
        done.write_text(wanted.read_text())
    return python


if __name__ == "__main__":
    sys.exit(main())
