"""Any OpenAI-compatible server: chat completions, streamed, retried, never logged with the key."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from srllm.backends.protocol import (
    BackendStatus,
    GenerationRequest,
    GenerationUpdate,
    LoadState,
    Message,
)
from srllm.errors import BackendError, BusyError, ModelUnavailableError, SrllmError
from srllm.settings import Settings
from srllm.variants import Profile

logger = logging.getLogger(__name__)

_N_ATTEMPTS = 4
_FIRST_WAIT_S = 0.5  # doubled with each attempt
_LONGEST_WAIT_S = 20.0  # where the server asks for more patience than this, it is an error
_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
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
        attempts = _Attempts(threading.Event())
        while True:
            try:
                response = self._client.get(f"{self._url}/models")
            except httpx.HTTPError as error:
                attempts.wait_after(_unreachable(self._url, error))
                continue
            if response.status_code in _RETRIED:
                attempts.wait_after(_refused(self._url, response, ""), response)
                continue
            break
        if response.status_code == 404:
            return ()  # servers without the list still answer
        if response.is_error:
            raise ModelUnavailableError(str(_refused(self._url, response, "")))
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
        attempts = _Attempts(stop)
        while not stop.is_set():
            answer = _Answer(index)
            try:
                with self._client.stream(
                    "POST", f"{self._url}/chat/completions", json=body
                ) as response:
                    if response.is_error:
                        response.read()
                        refusal = self._explain_refusal(response, str(body["model"]))
                        if response.status_code not in _RETRIED:
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
                attempts.wait_after(_unreachable(self._url, error))

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
                for message in _with_avoided(request.messages, request.avoid)
            ],
            "max_tokens": decoding.max_new_tokens or self._profile.max_new_tokens,
            "temperature": decoding.temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if decoding.temperature > 0:
            body |= {"top_p": decoding.top_p, "seed": decoding.seed}
        return body

    def _explain_refusal(self, response: httpx.Response, model: str) -> SrllmError:
        if response.status_code == 404 and self._served and model not in self._served:
            return ModelUnavailableError(
                f"{self._url} serves no model named {model!r}. It serves: "
                f"{', '.join(self._served)}. Name one of them in a profile file."
            )
        return _refused(self._url, response, model)


@dataclass(slots=True)
class _Answer:
    """What has come of one streamed answer."""

    index: int
    text: str = ""
    finish_reason: str | None = None
    n_prompt_tokens: int = 0
    n_new_tokens: int = 0
    is_counted: bool = False  # the server said how many tokens; until then, one for each piece

    def read(self, line: str) -> bool:
        """Take one line of the event stream; True where the text has grown."""
        if not line.startswith("data:"):
            return False
        content = line[5:].strip()
        if not content or content == "[DONE]":
            return False
        try:
            event: dict[str, Any] = json.loads(content)  # Any: parsed JSON
            usage = event.get("usage") or {}
            if usage:
                self.n_prompt_tokens = int(usage.get("prompt_tokens", 0))
                self.n_new_tokens = int(usage.get("completion_tokens", 0))
                self.is_counted = True
            if event.get("error"):
                raise BackendError(f"The server failed: {_short(event['error'])}. Try again.")
            choice = (event.get("choices") or [{}])[0]
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            piece = (choice.get("delta") or {}).get("content") or ""
        except (ValueError, AttributeError, TypeError, IndexError) as error:
            raise BackendError(
                f"The server sent something that is no chat completion: {content[:80]!r}."
            ) from error
        self.text += piece
        if piece and not self.is_counted:
            self.n_new_tokens += 1
        return bool(piece)

    def update(self, reason: str | None = None) -> GenerationUpdate:
        return GenerationUpdate(
            self.index, self.text, reason, self.n_prompt_tokens, self.n_new_tokens
        )

    def finished(self, url: str) -> GenerationUpdate:
        if self.finish_reason is None:
            raise BackendError(
                f"{url} closed the connection before the answer was whole. Try again."
            )
        return self.update("length" if self.finish_reason == "length" else "stop")


class _Attempts:
    """Counts tries and waits between them, longer each time."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._n_failed = 0

    def wait_after(self, error: SrllmError, response: httpx.Response | None = None) -> None:
        """Wait before the next try; raises the error when there is none left."""
        self._n_failed += 1
        wait_s = _FIRST_WAIT_S * 2 ** (self._n_failed - 1)
        asked = response.headers.get("retry-after", "") if response is not None else ""
        if asked.isdecimal():
            wait_s = max(wait_s, float(asked))
        if self._n_failed >= _N_ATTEMPTS or wait_s > _LONGEST_WAIT_S:
            raise error
        logger.info("Trying again in %.1f s: %s", wait_s, error)
        self._stop.wait(wait_s)


def _with_avoided(messages: Sequence[Message], avoid: Sequence[str]) -> list[Message]:
    """A server can not be told which tokens to leave out: the system text asks for it."""
    if not avoid:
        return list(messages)
    quoted = ", ".join(f'"{phrase}"' for phrase in avoid)
    sentence = f"Do not use these phrases in your answer: {quoted}."
    if messages[0].role == "system":
        return [Message("system", f"{messages[0].content} {sentence}"), *messages[1:]]
    return [Message("system", sentence), *messages]


def _unreachable(url: str, error: httpx.HTTPError) -> BackendError:
    what = (
        "did not answer in time" if isinstance(error, httpx.TimeoutException) else "is not reached"
    )
    return BackendError(
        f"The server at {url} {what} ({type(error).__name__}). Check the address and that it runs."
    )


def _refused(url: str, response: httpx.Response, model: str) -> SrllmError:
    status = response.status_code
    if status in (401, 403):
        return ModelUnavailableError(
            f"The server at {url} refused the key (status {status}). Set SRLLM_ENDPOINT_KEY."
        )
    if status == 404:
        return ModelUnavailableError(
            f"The server at {url} knows no model {model!r} or no such address (status 404). "
            "Correct the name in a profile file, or the address."
        )
    if status == 429:
        return BusyError(f"The server at {url} is busy (status 429). Try again in a moment.")
    try:
        said = _short(response.json().get("error") or response.json())
    except (ValueError, AttributeError):
        said = response.text[:160].strip() or "no reason given"
    return BackendError(f"The server at {url} answered with status {status}: {said}")


def _short(error: object) -> str:
    message = error.get("message", error) if isinstance(error, dict) else error
    return str(message)[:160]
