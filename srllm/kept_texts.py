"""Texts that visitors agreed to leave here: one JSON object a line, readable by the owner only."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

from srllm.records import Rewrite

FILE_NAME = "kept_texts.jsonl"


class KeptTexts:
    """Appends to one file; nothing is created before somebody has agreed."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME
        self._lock = threading.Lock()

    def keep(self, text: str, rewrites: Iterable[Rewrite], *, profile: str) -> None:
        """Store one text and its rewrites. Raises OSError where the folder can not be written."""
        row = {
            "kept_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "profile": profile,
            "text": text,
            "rewrites": [rewrite.to_json() for rewrite in rewrites],
        }
        line = (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace")
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # One write in append mode: lines of several processes do not mix.
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(handle, line)
            finally:
                os.close(handle)
