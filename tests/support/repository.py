"""What the repository promises about its own files; run by ``make check``."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES, MAX_FUNCTION_LINES = 500, 60
# A lock file with hosts would tie every build to the registry it was made with.
_HOST = re.compile(r'"?(resolved|resolution|url)"?:? *"?https?://')
_MACHINE_PATH = re.compile(r"(^|[^A-Za-z0-9_.])/(work|farm)/")


def main() -> int:
    """Print every broken promise; 1 when there is one."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    names = [name for name in listed.stdout.split() if (ROOT / name).is_file()]
    broken = [said for name in names for said in _problems(ROOT / name)] + _gone(names) + _left_out(names)
    sys.stdout.write("".join(f"{said}\n" for said in broken))
    return 1 if broken else 0


def _gone(names: list[str]) -> list[str]:
    """Paths and names in ARCHITECTURE.md that the tree has no longer; a route begins with a slash."""
    code = [name for name in names if name.endswith((".py", ".ts"))]
    words = [set(re.findall(r"\w+", f"{name} {(ROOT / name).read_text(encoding='utf-8')}")) for name in code]

    def is_there(term: str) -> bool:
        if "/" not in term:
            return any(set(re.findall(r"\w+", term)) <= file for file in words) or term in names
        return any(
            f"/{name}".endswith((f"/{term}", f"/{term}.py")) or f"/{term.strip('/')}/" in f"/{name}" for name in names
        )

    terms = set(re.findall(r"`([\w.][\w./-]*)`", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")))
    return [f"ARCHITECTURE.md: there is no {term}" for term in sorted(terms) if not is_there(term)]


def _left_out(names: list[str]) -> list[str]:
    """Rooms of the core that ARCHITECTURE.md's table of them does not have."""
    _, _, table = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## The core, room by room")
    listed = set(re.findall(r"`(\w+)/?`", table.partition("\n## ")[0]))
    core = "kubeai_notebook/core/"
    rooms = {name.removeprefix(core).partition("/")[0].removesuffix(".py") for name in names if name.startswith(core)}
    return [f"ARCHITECTURE.md: the core's table has no {room}" for room in sorted(rooms - listed - {"__init__"})]


def _problems(path: Path) -> list[str]:
    if path.suffix in {".png", ".log"}:
        return []
    name = path.relative_to(ROOT)
    text = path.read_text(encoding="utf-8")
    problems = []
    if "lock" in path.name and _HOST.search(text):
        problems.append(f"{name}: a lock file names a host")
    if _MACHINE_PATH.search(text) and path != Path(__file__):
        problems.append(f"{name}: names a path of one machine")
    if path.suffix in {".py", ".ts"} and len(text.splitlines()) > MAX_FILE_LINES:
        problems.append(f"{name}: {len(text.splitlines())} lines; over {MAX_FILE_LINES} there are two ideas in it")
    if path.suffix == ".py":
        problems += [f"{name}: {said}" for said in _long_functions(text)]
    if path.suffix == ".ipynb":
        problems += [f"{name}: {said}" for said in _outputs(text)]
    return problems


def _long_functions(text: str) -> list[str]:
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = ((node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions)
    return [f"{function}() has {lines} lines" for function, lines in lengths if lines > MAX_FUNCTION_LINES]


def _outputs(text: str) -> list[str]:
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return ["has outputs; strip them"] if any(cell["outputs"] or cell["execution_count"] for cell in cells) else []


if __name__ == "__main__":
    sys.exit(main())
