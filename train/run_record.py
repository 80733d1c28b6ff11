"""run.json: everything that is needed to say how weights came about."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from train.cmd_data import DATA_FOLDER, SPLITS
from train.recipe import recipe_to_json
from train.sources import SOURCES, DataError

RUN_FILE = "run.json"
_PACKAGES = ("torch", "transformers", "tokenizers", "peft", "numpy", "safetensors")


def write_run_record(
    folder: Path,
    *,
    kind: str,
    recipe: object,
    recipe_file: Path,
    source_names: Sequence[str],
    outcome: Mapping[str, object],
    curve_file: str,
    note: str = "",
) -> None:
    """Write run.json of a finished training into its folder; `note` says what the rest cannot."""
    curve = folder / curve_file
    record = {
        "kind": kind,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "recipe_file": str(recipe_file),
        "recipe": recipe_to_json(recipe),
        "note": note,
        "outcome": dict(outcome),
        "sources": {
            name: {
                "sha256": SOURCES[name].sha256,
                "home": SOURCES[name].home,
                "licence": SOURCES[name].licence,
            }
            for name in source_names
        },
        "cmd_sha256": {
            name: hashlib.sha256((DATA_FOLDER / f"{name}.jsonl").read_bytes()).hexdigest()
            for name in SPLITS
        },
        "git": git_revision(),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in _PACKAGES},
        "hardware": {"cpu": _cpu_name(), "cores": os.cpu_count(), "accelerator": None},
        "curve": [json.loads(line) for line in curve.read_text(encoding="utf-8").splitlines()],
    }
    write_json(folder / RUN_FILE, record)


def load_run_record(folder: Path) -> dict[str, Any]:  # Any: parsed JSON
    """The run.json of a folder."""
    path = folder / RUN_FILE
    if not path.is_file():
        raise DataError(f"No {RUN_FILE} in {str(folder)!r}. Train it first: python -m train --help")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def write_json(path: Path, content: object) -> None:
    """Write to a temporary name, then rename."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.rename(path)


def git_revision() -> dict[str, object]:
    """The commit of the working tree and whether files of train/ or srllm/ differ from it."""

    def ask(*words: str) -> str:
        asked = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
        return asked.stdout.strip()

    return {
        "commit": ask("rev-parse", "HEAD") or None,
        "is_dirty": bool(ask("status", "--porcelain", "--", "train", "srllm", "data")),
    }


def _cpu_name() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
