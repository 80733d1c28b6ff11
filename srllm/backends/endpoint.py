"""Any OpenAI-compatible server: chat completions, streamed, retried, never logged with the key."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx

from srllm.backends.completions import (
    RETRIED,
    Answer,
    Attempts,
    explain_refusal,
    explain_unreachable,
    with_avoided,
)
from srllm.backends.protocol import (
    BackendStatus,
    GenerationRequest,
    GenerationUpdate,
    LoadState,
)
from srllm.errors import BackendError, BusyError, ModelUnavailableError, SrllmError
from srllm.settings import Settings
from srllm.variants import Profile

logger = logging.getLogger(__name__)

_POLL_S = 0.1


class EndpointBackend:
    """A variant is the model that the server knows under the name `variant.model`.

    Options of the profile, all texts: model (served name of the base model; without it, the first
    that the server lists), timeout_s (without a new token), concurrency (requests at once).
    """

    def __init__(self, profile: Profile, settings: Settings) -> None:
        self._profile = profile
        self._url = (profile.base_model or settings.endpoint_url).rstrip("/")
        self._queue_limit = settings.queue_limit
        self._timeout_s = float(profile.options.get("timeout_s", "60"))
        self._concurrency = int(profile.options.get("concurrency", "16"))
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {settings.endpoint_key}"}
            if settings.endpoint_key
            else {},
            timeout=httpx.Timeout(self._timeout_s, connect=10.0),
            limits=httpx.Limits(max_connections=self._concurrency),
            follow_redirects=False,  # the key goes to the given address only
        )
        self._pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="endpoint")
        self._lock = threading.Lock()
        self._load_lock = threading.Lock()
        self._n_open = 0
        self._is_closed = False
        self._served: tuple[str, ...] = ()
        self._state = LoadState.IDLE
        self._message = f"{profile.label}: connects at the first text."

    def status(self) -> BackendStatus:
        n_running = min(self._n_open, self._concurrency)
        n_waiting = self._n_open - n_running
        return BackendStatus(self._state, self._message, n_running, n_waiting, self._queue_limit)

    def load(self) -> None:
        """Ask the server for its models, once; a failure can be tried again."""
        with self._load_lock:
            if self._is_closed:
                raise BackendError("The backend is closed. Start the program again.")
            if self._state is LoadState.READY:
                return
            self._state, self._message = LoadState.LOADING, f"Connecting to {self._url} ..."
            try:
                self._served = self._list_models()
            except SrllmError as error:
                self._state, self._message = LoadState.FAILED, str(error)
                raise
            self._state, self._message = LoadState.READY, f"{self._profile.label} at {self._url}."

    def count_tokens(self, text: str) -> int:
        """An estimate, as the server's tokenizer is not here: a token is 4 bytes of UTF-8.

        Rather too many than too few for other alphabets; at least one for each word.
        """
        return max(len(text.split()), -(-len(text.encode("utf-8", "replace")) // 4))

    def stream(
        self, requests: Sequence[GenerationRequest], cancel: threading.Event | None = None
    ) -> Iterator[GenerationUpdate]:
        self._enter(len(requests))
        stop = threading.Event()  # of this call: set when the visitor leaves
        updates: queue.SimpleQueue[GenerationUpdate | None] = queue.SimpleQueue()
        n_submitted = 0
        try:
            self.load()
            for index, request in enumerate(requests):
                self._pool.submit(self._run, index, request, stop, updates)
                n_submitted += 1
            n_finished = 0
            while n_finished < len(requests):
                if cancel is not None and cancel.is_set():
                    return
                if self._is_closed:
                    raise BackendError("The backend is closed. Start the program again.")
                with suppress(queue.Empty):
                    update = updates.get(timeout=_POLL_S)
                    if update is None:
                        n_finished += 1
                    else:
                        yield update
        finally:
            stop.set()
            self._leave(len(requests) - n_submitted)

    def close(self) -> None:
        self._is_closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()
        self._state, self._message = LoadState.IDLE, "Closed."

    def _enter(self, n_requests: int) -> None:
        with self._lock:
            n_waiting = max(0, self._n_open - self._concurrency)
            if n_waiting and n_waiting + n_requests > self._queue_limit:
                raise BusyError(
                    f"{n_waiting} requests are waiting for the server, the limit is "
                    f"{self._queue_limit}. Try again in a moment."
                )
            self._n_open += n_requests

    def _leave(self, n_requests: int) -> None:
        with self._lock:
            self._n_open -= n_requests

    def _list_models(self) -> tuple[str, ...]:
        if not self._url.startswith(("http://", "https://")):
            raise ModelUnavailableError(
                f"Profile {self._profile.name!r} needs the address of a server, got "
                f"{self._url!r}. Set SRLLM_ENDPOINT_URL, for example http://localhost:8000/v1"
            )
        attempts = Attempts(threading.Event())
        while True:
            try:
                response = self._client.get(f"{self._url}/models")
            except httpx.HTTPError as error:
                attempts.wait_after(explain_unreachable(self._url, error))
                continue
            if response.status_code in RETRIED:
                attempts.wait_after(explain_refusal(self._url, response, ""), response)
                continue
            break
        if response.status_code == 404:
            return ()  # servers without the list still answer
        if response.is_error:
            raise ModelUnavailableError(str(explain_refusal(self._url, response, "")))
        try:
            return tuple(str(row["id"]) for row in response.json()["data"])
        except (ValueError, KeyError, TypeError) as error:
            raise ModelUnavailableError(
                f"{self._url} does not answer like an OpenAI-compatible server. Check that the "
                "address ends with /v1 where the server wants it."
            ) from error

    def _run(
        self,
        index: int,
        request: GenerationRequest,
        stop: threading.Event,
        updates: queue.SimpleQueue[GenerationUpdate | None],
    ) -> None:
        """One request in a thread of the pool; its last update says how it ended."""
        try:
            self._attempt(index, request, stop, updates)
        except SrllmError as error:
            updates.put(GenerationUpdate(index, "", "error", error=error))
        except Exception as error:
            logger.exception("A request to the server failed")
            sentence = BackendError(f"The request failed ({type(error).__name__}). Try again.")
            updates.put(GenerationUpdate(index, "", "error", error=sentence))
        finally:
            self._leave(1)
            updates.put(None)

    def _attempt(
        self,
        index: int,
        request: GenerationRequest,
        stop: threading.Event,
        updates: queue.SimpleQueue[GenerationUpdate | None],
    ) -> None:
        body = self._build_body(request)
        attempts = Attempts(stop)
        while not stop.is_set():
            answer = Answer(index)
            try:
                with self._client.stream(
                    "POST", f"{self._url}/chat/completions", json=body
                ) as response:
                    if response.is_error:
                        response.read()
                        refusal = self._refuse(response, str(body["model"]))
                        if response.status_code not in RETRIED:
                            raise refusal
                        attempts.wait_after(refusal, response)
                        continue
                    for line in response.iter_lines():
                        if stop.is_set():
                            return  # leaving closes the connection: the server stops writing
                        if answer.read(line):
                            updates.put(answer.update())
                updates.put(answer.finished(self._url))
                return
            except httpx.HTTPError as error:
                if answer.text:  # it had begun: writing it again would jump
                    raise BackendError(
                        f"The connection to {self._url} broke while the answer was written "
                        f"({type(error).__name__}). Try again."
                    ) from error
                attempts.wait_after(explain_unreachable(self._url, error))

    def _build_body(self, request: GenerationRequest) -> dict[str, object]:
        model = request.variant.model or self._profile.options.get("model")
        if not model:
            if not self._served:
                raise ModelUnavailableError(
                    f"{self._url} lists no models. Name the base model in a profile file: "
                    "options: {model: ...}."
                )
            model = self._served[0]
        decoding = request.decoding
        body: dict[str, object] = {
            "model": model,
            "messages": [
                {"role": message.role, "content": message.content}
                for message in with_avoided(request.messages, request.avoid)
            ],
            "max_tokens": decoding.max_new_tokens or self._profile.max_new_tokens,
            "temperature": decoding.temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if decoding.temperature > 0:
            body |= {"top_p": decoding.top_p, "seed": decoding.seed}
        return body

    def _refuse(self, response: httpx.Response, model: str) -> SrllmError:
        if response.status_code == 404 and self._served and model not in self._served:
            return ModelUnavailableError(
                f"{self._url} serves no model named {model!r}. It serves: "
                f"{', '.join(self._served)}. Name one of them in a profile file."
            )
        return explain_refusal(self._url, response, model)
