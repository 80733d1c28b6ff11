"""Throughput of visitors who come at once against the same visitors one after another.

    python bench/concurrent_visitors.py
    python bench/concurrent_visitors.py --visitors 8 --texts 4 --rounds 3

Every visitor has texts of their own and sends the next when all four variants of the last are
done, through one Rewriter with everything the page does: detector, second pass, insights. Loading
and a warm-up are not timed; rounds alternate. Printed: rewrites a second, the ratio, the slowest
answer of either way, and whether every rewrite is the same.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from srllm.errors import SrllmError
from srllm.provenance import ROOT, describe_hardware, find_code_revision, find_versions
from srllm.rewriter import Rewriter, Stage
from srllm.settings import Settings
from srllm.texts import load_texts

TARGET = 3.0


class Visitor:
    """Somebody who sends texts one by one and waits for all variants of each."""

    def __init__(self, rewriter: Rewriter, texts: Sequence[str]) -> None:
        self._rewriter = rewriter
        self._texts = texts
        self.rewrites: list[str] = []
        self.waits_s: list[float] = []

    def visit(self) -> None:
        for text in self._texts:
            started = time.perf_counter()
            last = {}
            for update in self._rewriter.stream(text):
                if update.stage is Stage.FAILED:
                    raise RuntimeError(update.error)
                last[update.variant] = update.text
            self.waits_s.append(time.perf_counter() - started)
            self.rewrites += last.values()


def run_in_turn(visitors: Sequence[Visitor]) -> float:
    started = time.perf_counter()
    for visitor in visitors:
        visitor.visit()
    return time.perf_counter() - started


def run_at_once(visitors: Sequence[Visitor]) -> float:
    threads = [threading.Thread(target=visitor.visit) for visitor in visitors]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--profiles-file", type=Path)
    parser.add_argument("--visitors", type=int, default=8)
    parser.add_argument("--texts", type=int, default=4, help="of each visitor (4)")
    parser.add_argument("--file", type=Path, default=ROOT / "data" / "cmd" / "test.jsonl")
    parser.add_argument("--column", default="Original_Sentence")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="of torch (all cores)")
    parser.add_argument("--no-guided", action="store_true", help="without the second pass")
    arguments = parser.parse_args()
    try:
        return compare(arguments)
    except SrllmError as error:
        print(f"concurrent_visitors: {error}", file=sys.stderr)
        return 2


def compare(arguments: argparse.Namespace) -> int:
    n_texts = arguments.visitors * arguments.texts
    texts = load_texts(arguments.file, arguments.column)[:n_texts]
    shares = [texts[start :: arguments.visitors] for start in range(arguments.visitors)]
    rewriter = Rewriter.from_settings(
        Settings(
            profile=arguments.profile,
            profiles_file=arguments.profiles_file,
            threads=arguments.threads,
            guided=not arguments.no_guided,
            queue_limit=1000,
        )
    )
    rewriter.load()
    Visitor(rewriter, texts[:2]).visit()

    turn_s: list[float] = []
    once_s: list[float] = []
    for number in range(arguments.rounds):
        in_turn = [Visitor(rewriter, share) for share in shares]
        turn_s.append(run_in_turn(in_turn))
        at_once = [Visitor(rewriter, share) for share in shares]
        once_s.append(run_at_once(at_once))
        print(f"round {number + 1}: in turn {turn_s[-1]:.2f} s, at once {once_s[-1]:.2f} s")
    rewriter.close()

    pairs = [
        (a, b)
        for one, other in zip(in_turn, at_once, strict=True)
        for a, b in zip(one.rewrites, other.rewrites, strict=True)
    ]
    ratio = statistics.median(turn_s) / statistics.median(once_s)
    for name, seconds, visitors in (("in turn", turn_s, in_turn), ("at once", once_s, at_once)):
        waits = [wait for visitor in visitors for wait in visitor.waits_s]
        print(
            f"{name}  {len(pairs) / statistics.median(seconds):7.2f} rewrites/s, a text waits "
            f"{statistics.median(waits):.2f} s (median), {max(waits):.2f} s (longest)"
        )
    print(f"{arguments.visitors} visitors, {len(texts)} texts, profile {arguments.profile}")
    print(f"ratio    {ratio:7.2f} (target: at least {TARGET})")
    print(f"same text {sum(a == b for a, b in pairs)} of {len(pairs)}")
    print(f"load average {os.getloadavg()[0]:.1f}; {describe_hardware()}")
    print(f"{find_versions()} code {find_code_revision()[0]}")
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
