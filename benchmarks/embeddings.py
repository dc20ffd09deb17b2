"""50,000 vectors: `Model.embed`'s own road beside loops over hand-made batches by the openai client.

``python benchmarks/embeddings.py [--texts 50000] [--rounds 3]``; the server is a process of its own, of 1,024 numbers a
vector. Both have as many requests of as many texts in flight. The exit code is 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.clients import HERE, Bars, run
from tests.support.batch_server import batch_server

IN_FLIGHT = 16
SLOW = "openai, float lists"
PROGRAMS = {
    "embed": [sys.executable, str(HERE / "embed_texts.py")],
    SLOW: [sys.executable, str(HERE / "baselines" / "embed_openai.py"), "float"],
    "openai, its default": [sys.executable, str(HERE / "baselines" / "embed_openai.py"), "default"],
}


def main() -> int:
    """Print a row a client; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    # Lists of numbers take a minute for some thousand texts.
    texts = {name: options.texts // 10 if name == SLOW else options.texts for name in PROGRAMS}
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in PROGRAMS}
    with batch_server(latency_seconds=0.05, dimensions=1024) as server:
        for _ in range(options.rounds):
            for name, command in PROGRAMS.items():
                spent[name].append(run(command, server.url, texts[name], IN_FLIGHT))
    print(f"\n{options.texts:,} texts, {IN_FLIGHT} requests in flight, 50 ms; median of {options.rounds}")
    for name, rounds in spent.items():
        seconds, cpu_seconds = (median(one[kind] for one in rounds) for kind in ("seconds", "cpu_seconds"))
        cpu_ms = 1000 * cpu_seconds / texts[name]
        print(f"  {name:22} {texts[name] / seconds:7.0f} texts/s  {cpu_ms:6.2f} ms CPU a text")
    pairs = zip(spent["embed"], spent[SLOW], strict=True)
    faster = [theirs["seconds"] / texts[SLOW] / (ours["seconds"] / texts["embed"]) for ours, theirs in pairs]
    bars = Bars()
    bars.check("times the loop with float lists", median(faster), least=2)
    return bars.verdict()


if __name__ == "__main__":
    sys.exit(main())
