"""Loading the model beside the pages: started once a page is open, waited for with a way out."""

from __future__ import annotations

import logging
import threading

from srllm.backends.protocol import LoadState
from srllm.errors import ModelUnavailableError, SrllmError
from srllm.rewriter import Rewriter

_LOG = logging.getLogger(__name__)


class ModelLoader:
    """Loads the rewriter's model in a thread of its own; after a failure it can be tried again."""

    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter = rewriter
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._error: SrllmError | None = None

    @property
    def is_ready(self) -> bool:
        return self._rewriter.status().state is LoadState.READY

    def start(self) -> None:
        """Begin to load where nothing is loaded or loading; returns at once."""
        with self._lock:
            if self.is_ready or (self._thread is not None and self._thread.is_alive()):
                return
            self._error = None
            self._thread = threading.Thread(target=self._load, name="load-model", daemon=True)
            self._thread.start()

    def wait(self, cancel: threading.Event) -> bool:
        """Wait until the model is there; False where `cancel` was set first.

        Raises ModelUnavailableError or another SrllmError when it can not be loaded.
        """
        self.start()
        thread = self._thread
        while thread is not None and thread.is_alive():
            if cancel.is_set():
                return False
            thread.join(0.05)
        if self._error is not None:
            raise self._error
        return not cancel.is_set()

    def _load(self) -> None:
        try:
            self._rewriter.load()
        except SrllmError as error:
            _LOG.warning("model not loaded: %s", error)
            self._error = error
        except Exception:
            _LOG.exception("model not loaded")
            self._error = ModelUnavailableError(
                "The model could not be loaded. The log of the server says why."
            )
