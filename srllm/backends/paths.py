"""Paths and hub ids of weights, checked before anything heavy is imported."""

from __future__ import annotations

import re
from pathlib import Path

from srllm.errors import ModelUnavailableError

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def check_path(path: str, what: str) -> str:
    """The path or hub id if it can be one; a folder that is not there is a sentence."""
    found = Path(path).expanduser()
    if found.is_dir():
        return str(found)
    if not path or found.exists() or not _HUB_ID.fullmatch(path) or path.startswith("."):
        problem = "is not a folder" if found.exists() else "does not exist"
        raise ModelUnavailableError(
            f"{capital(what)} should be at {path!r}, which {problem}. Fetch or train the weights, "
            "or correct the path in the profile."
        )
    return path


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
