"""The pieces of a chat completion: its event stream, tries and waits, refusals as sentences."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from srllm.backends.protocol import GenerationUpdate, Message
from srllm.errors import BackendError, BusyError, ModelUnavailableError, SrllmError

logger = logging.getLogger(__name__)

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})  # of status codes
_N_ATTEMPTS = 4
_FIRST_WAIT_S = 0.5  # doubled with each attempt
_LONGEST_WAIT_S = 20.0  # where the server asks for more patience than this, it is an error


@dataclass(slots=True)
class Answer:
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


class Attempts:
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


def with_avoided(messages: Sequence[Message], avoid: Sequence[str]) -> list[Message]:
    """A server can not be told which tokens to leave out: the system text asks for it."""
    if not avoid:
        return list(messages)
    quoted = ", ".join(f'"{phrase}"' for phrase in avoid)
    sentence = f"Do not use these phrases in your answer: {quoted}."
    if messages[0].role == "system":
        return [Message("system", f"{messages[0].content} {sentence}"), *messages[1:]]
    return [Message("system", sentence), *messages]


def explain_unreachable(url: str, error: httpx.HTTPError) -> BackendError:
    what = (
        "did not answer in time" if isinstance(error, httpx.TimeoutException) else "is not reached"
    )
    return BackendError(
        f"The server at {url} {what} ({type(error).__name__}). Check the address and that it runs."
    )


def explain_refusal(url: str, response: httpx.Response, model: str) -> SrllmError:
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
