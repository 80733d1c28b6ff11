"""Start-up to the first page, against an empty Gradio app: fresh processes, taken in turn.

    python bench/startup.py --rounds 5

Prints both medians and their ratio; lower is better, the target is at most 1.3.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_EMPTY = """
import sys
import gradio as gr
with gr.Blocks(analytics_enabled=False) as demo:
    pass
demo.launch(server_port=int(sys.argv[1]), quiet=True, ssr_mode=False, run_history=False)
"""
_SECONDS_AT_MOST = 300.0


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def measure_start(command: Sequence[str], port: int) -> float:
    """Seconds from the start of the process to the end of the first page's first answer."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command, str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while time.perf_counter() - started < _SECONDS_AT_MOST:
            if process.poll() is not None:
                raise RuntimeError(f"{command!r} ended with {process.returncode}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                    answer.read()
                return time.perf_counter() - started
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"{command!r} served no page within {_SECONDS_AT_MOST:.0f} s")
    finally:
        process.kill()
        process.wait()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="starts of each (5)")
    parser.add_argument("--profile", default="embedded", help="profile that is served (embedded)")
    arguments = parser.parse_args(argv)
    commands = {
        "empty_gradio": ["-c", _EMPTY],
        "sr_llm": ["app.py", "--profile", arguments.profile, "--port"],
    }
    for command in commands.values():  # the first start reads files from disk: not counted
        measure_start(command, free_port())
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            seconds[name].append(measure_start(command, free_port()))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = [
        ours / empty for ours, empty in zip(seconds["sr_llm"], seconds["empty_gradio"], strict=True)
    ]
    print(
        json.dumps(
            {
                "rounds": arguments.rounds,
                "seconds": {k: [round(v, 2) for v in values] for k, values in seconds.items()},
                "median_seconds": {name: round(value, 2) for name, value in medians.items()},
                "ratio_of_medians": round(medians["sr_llm"] / medians["empty_gradio"], 3),
                "median_ratio_of_pairs": round(statistics.median(ratios), 3),
            },
            indent=2,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
