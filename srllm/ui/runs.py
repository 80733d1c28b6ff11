"""Which work belongs to which visitor, so that leaving or pressing Cancel stops it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Runs:
    """The running work of every visitor. A visitor who starts again cancels what ran before.

    The flags can not live in the page's state: Gradio copies that, and a copied flag stops nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flags: dict[str, threading.Event] = {}

    @contextmanager
    def run(self, visitor: str) -> Iterator[threading.Event]:
        """The flag that stops this work; it is set in any case when the work is left."""
        flag = threading.Event()
        with self._lock:
            previous = self._flags.get(visitor)
            self._flags[visitor] = flag
        if previous is not None:
            previous.set()
        try:
            yield flag
        finally:
            flag.set()
            with self._lock:
                if self._flags.get(visitor) is flag:
                    del self._flags[visitor]

    def leave(self, visitor: str) -> None:
        """Stop all work of a visitor who is gone: their own and that of their panels."""
        if not visitor:
            return
        with self._lock:
            flags = [flag for name, flag in self._flags.items() if name.startswith(visitor)]
        for flag in flags:
            flag.set()

    def cancel(self, visitor: str) -> None:
        with self._lock:
            flag = self._flags.get(visitor)
        if flag is not None:
            flag.set()

    def __len__(self) -> int:
        return len(self._flags)
