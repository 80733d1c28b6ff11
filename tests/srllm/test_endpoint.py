from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

import pytest

from srllm.backends import completions
from srllm.backends.endpoint import EndpointBackend
from srllm.backends.protocol import Decoding, GenerationRequest, LoadState, Message
from srllm.errors import BackendError, BusyError, ModelUnavailableError
from srllm.settings import Settings
from srllm.variants import PROFILES

KEY = "sk-secret-value"


class Server:
    """A small OpenAI-compatible server; `answer` decides what a chat completion gives."""

    def __init__(self) -> None:
        self.bodies: list[dict] = []
        self.keys: list[str | None] = []
        self.most_at_once = self.n_open = 0
        self.was_left = threading.Event()
        self.answer: Callable[[Handler, dict], None] = lambda handler, body: handler.stream(
            ["A ", "kind ", "text."]
        )
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.keys.append(self.headers.get("Authorization"))
                self.send_json(200, {"data": [{"id": "base-model"}, {"id": "safe_peft_1ep"}]})

            def do_POST(self) -> None:
                outer.n_open += 1
                outer.most_at_once = max(outer.most_at_once, outer.n_open)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.bodies.append(body)
                try:
                    outer.answer(self, body)
                except OSError:
                    outer.was_left.set()
                finally:
                    outer.n_open -= 1

            def send_json(self, status: int, content: object, **headers: str) -> None:
                data = json.dumps(content).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, pieces, reason="stop", wait_s=0.0) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for piece in pieces:
                    self.event({"choices": [{"delta": {"content": piece}}]})
                    time.sleep(wait_s)
                if reason:
                    self.event({"choices": [{"delta": {}, "finish_reason": reason}]})
                    self.event(
                        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
                    )
                    self.wfile.write(b"data: [DONE]\n\n")

            def event(self, content: object) -> None:
                self.wfile.write(b": comment\n\ndata: " + json.dumps(content).encode() + b"\n\n")
                self.wfile.flush()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(completions, "_FIRST_WAIT_S", 0.01)
    started = Server()
    yield started
    started.close()


def build(url: str, queue_limit: int = 8, **options: str) -> EndpointBackend:
    profile = replace(PROFILES["endpoint"], options=MappingProxyType(options))
    return EndpointBackend(
        profile, Settings(endpoint_url=url, endpoint_key=KEY, queue_limit=queue_limit)
    )


def request(variant: str = "safe_peft_1ep", **fields) -> GenerationRequest:
    messages = (Message("system", "Be kind."), Message("user", "text"))
    return GenerationRequest(PROFILES["endpoint"].variants[variant], messages, **fields)


def test_answers_stream_and_the_model_is_the_variant(server):
    updates = list(build(server.url).stream([request()]))
    assert [u.text for u in updates] == ["A ", "A kind ", "A kind text.", "A kind text."]
    last = updates[-1]
    assert (last.finish_reason, last.n_prompt_tokens, last.n_new_tokens) == ("stop", 7, 3)
    body = server.bodies[0]
    assert (body["model"], body["temperature"], body["stream"]) == ("safe_peft_1ep", 0.0, True)
    assert "seed" not in body and server.keys == [f"Bearer {KEY}"]


def test_the_base_variant_is_the_first_model_of_the_server_or_the_option(server):
    list(build(server.url).stream([request("base")]))
    list(build(server.url, model="named").stream([request("base")]))
    assert [body["model"] for body in server.bodies] == ["base-model", "named"]


def test_sampling_limits_and_avoided_phrases_are_passed_on(server):
    decoding = Decoding(temperature=0.5, top_p=0.8, seed=3, max_new_tokens=9)
    list(build(server.url).stream([request(decoding=decoding, avoid=("bad word",))]))
    body = server.bodies[0]
    assert [body[k] for k in ("temperature", "top_p", "seed", "max_tokens")] == [0.5, 0.8, 3, 9]
    assert body["messages"][0]["content"].endswith('in your answer: "bad word".')


def test_an_answer_that_hit_the_limit_says_so(server):
    server.answer = lambda handler, body: handler.stream(["A"], reason="length")
    assert list(build(server.url).stream([request()]))[-1].finish_reason == "length"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_tried_again(server, status):
    def answer(handler, body):
        if len(server.bodies) < 3:
            handler.send_json(status, {"error": {"message": "later"}})
        else:
            handler.stream(["fine"])

    server.answer = answer
    assert list(build(server.url).stream([request()]))[-1].text == "fine"
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (429, BusyError, "is busy"),
        (500, BackendError, "status 500: later"),
        (401, ModelUnavailableError, "SRLLM_ENDPOINT_KEY"),
        (400, BackendError, "status 400: later"),
    ],
)
def test_a_lasting_failure_is_one_sentence_without_the_key(server, status, kind, message, caplog):
    caplog.set_level(logging.DEBUG)
    server.answer = lambda handler, body: handler.send_json(status, {"error": {"message": "later"}})
    [update] = build(server.url).stream([request()])
    assert isinstance(update.error, kind) and message in str(update.error)
    assert KEY not in str(update.error) + caplog.text


def test_a_server_that_asks_for_much_patience_is_not_waited_for(server):
    server.answer = lambda handler, body: handler.send_json(429, {}, Retry_After="600")
    [update] = build(server.url).stream([request()])
    assert isinstance(update.error, BusyError) and len(server.bodies) == 1


def test_an_unknown_model_lists_those_that_are_served(server):
    server.answer = lambda handler, body: handler.send_json(404, {"error": "no"})
    [update] = build(server.url).stream([request("safe_dense_it")])
    assert "It serves: base-model, safe_peft_1ep" in str(update.error)


def test_one_failure_does_not_stop_the_others(server):
    def answer(handler, body):
        if body["model"] == "safe_dense_it":
            handler.send_json(400, {"error": "no"})
        else:
            handler.stream(["fine"])

    server.answer = answer
    ends = {
        u.index: u
        for u in build(server.url).stream([request("safe_dense_it"), request()])
        if u.finish_reason
    }
    assert ends[0].finish_reason == "error" and ends[1].text == "fine"


def test_a_connection_that_breaks_in_the_middle_is_an_error_not_half_a_text(server):
    server.answer = lambda handler, body: handler.stream(["half"], reason=None)
    last = list(build(server.url).stream([request()]))[-1]
    assert "before the answer was whole" in str(last.error)


def test_something_that_is_no_completion_is_an_error(server):
    def answer(handler, body):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"data: <html>\n\n")

    server.answer = answer
    [update] = build(server.url).stream([request()])
    assert "no chat completion" in str(update.error)


def test_a_slow_server_is_timed_out(server):
    server.answer = lambda handler, body: time.sleep(0.5)
    [update] = build(server.url, timeout_s="0.05").stream([request()])
    assert "did not answer in time" in str(update.error)


def test_leaving_closes_the_connection(server):
    server.answer = lambda handler, body: handler.stream(["x"] * 500, wait_s=0.01)
    cancel = threading.Event()
    backend = build(server.url)
    stream = backend.stream([request()], cancel)
    next(stream)
    cancel.set()
    assert list(stream) == []
    assert server.was_left.wait(5)
    deadline = time.monotonic() + 5
    while backend.status().n_running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert backend.status().n_running == 0


def test_requests_at_once_are_bounded_and_too_many_are_busy(server):
    server.answer = lambda handler, body: handler.stream(["x"] * 3, wait_s=0.03)
    backend = build(server.url, queue_limit=2, concurrency="2")
    stream = backend.stream([request()] * 6)
    next(stream)
    with pytest.raises(BusyError, match="limit is 2"):
        list(backend.stream([request()]))
    list(stream)
    assert server.most_at_once == 2
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        list(backend.stream([request()]))


def test_no_server_is_one_sentence_and_can_be_tried_again(server, monkeypatch):
    backend = build("http://127.0.0.1:9/v1")
    with pytest.raises(BackendError, match="is not reached"):
        backend.load()
    assert backend.status().state is LoadState.FAILED
    backend._url = server.url
    backend.load()
    assert backend.status().state is LoadState.READY


def test_no_address_is_one_sentence():
    with pytest.raises(ModelUnavailableError, match="SRLLM_ENDPOINT_URL"):
        build("").load()


def test_tokens_are_estimated_from_bytes_and_words():
    backend = build("http://x")
    assert [backend.count_tokens(t) for t in ("", "a b c", "abcdefgh")] == [0, 3, 2]
    assert backend.count_tokens("\u65e5\u672c\u8a9e\u6587") == 3  # 12 bytes
