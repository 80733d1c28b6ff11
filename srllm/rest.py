"""The JSON interface: an application of its own, mounted at /api. No Gradio here."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from srllm.errors import (
    BackendError,
    BusyError,
    InputError,
    ModelUnavailableError,
    SrllmError,
    UnknownNameError,
)
from srllm.records import risk_to_json
from srllm.rewriter import Rewriter
from srllm.settings import Settings

_LOG = logging.getLogger(__name__)
MAX_BODY_BYTES = 1_000_000
_MAX_ADDRESSES = 10_000  # remembered by the rate limit; the longest silent are forgotten
_BUSY_RETRY_S = 2
_STATUS_OF = (  # the first class that fits
    (InputError, 422),
    (UnknownNameError, 422),
    (BusyError, 503),
    (ModelUnavailableError, 503),
    (BackendError, 502),
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RewriteRequest(_Strict):
    """A text, and with what it is to be rewritten."""

    text: str = Field(description="The text to rewrite.", examples=["Only an idiot would say so."])
    variants: list[str] | None = Field(
        None, description="Names of variants; without it, those shown by default.", max_length=50
    )
    guided: bool | None = Field(
        None,
        description="Whether a second pass without the flagged phrases may follow; "
        "without it, as the server is set.",
    )


class AnalyzeRequest(_Strict):
    """A text to be judged, not rewritten."""

    text: str = Field(description="The text to analyze.", examples=["Only an idiot would say so."])


class Span(BaseModel):
    start: int = Field(description="Offset of the first character.")
    end: int = Field(description="Offset after the last character.")
    category: str = Field(description="bias, toxicity or harm.")
    weight: float = Field(description="Share of the evidence that this phrase carries, in (0, 1].")


class Risk(BaseModel):
    """What the detector says. Scores are probabilities in [0, 1]; higher is riskier."""

    detector: str
    scores: dict[str, float | None] = Field(description="unsafe, bias, toxicity, harm, negative.")
    threshold: float = Field(description="The text counts as unsafe from this score on.")
    is_unsafe: bool
    labels: dict[str, str] = Field(description="BIAS, TOXICITY, SENTIMENT and HARM of the paper.")
    spans: list[Span] = Field(description="The phrases that raise the risk.")


class InsightOut(BaseModel):
    kind: str
    message: str


class RewriteOut(BaseModel):
    """The rewrite by one variant."""

    variant: str
    text: str
    outcome: str = Field(
        description="rewritten, rewritten_guided, already_benign, no_safe_rewrite, refused or "
        "cut_off."
    )
    risk_before: Risk
    risk_after: Risk
    insights: list[InsightOut]
    finish_reason: str
    n_prompt_tokens: int
    n_new_tokens: int
    elapsed_s: float
    suggestion: str | None = Field(
        description="Where no safe rewrite was found: the text without the flagged phrases."
    )


class RewriteAnswer(BaseModel):
    text: str
    profile: str
    rewrites: list[RewriteOut]


class VariantOut(BaseModel):
    name: str
    label: str
    description: str
    is_default: bool


class VariantsAnswer(BaseModel):
    profile: str
    label: str
    description: str
    max_input_tokens: int
    variants: list[VariantOut]


class Problem(BaseModel):
    """Every error is one sentence."""

    error: str


_PROBLEMS: dict[int | str, dict[str, Any]] = {  # Any: FastAPI's type of this argument
    400: {"model": Problem, "description": "The body is not JSON."},
    413: {"model": Problem, "description": f"The body is over {MAX_BODY_BYTES:,} bytes."},
    422: {"model": Problem, "description": "Empty or over-long text, unknown variant or field."},
    429: {"model": Problem, "description": "Too many requests; Retry-After says when to go on."},
    502: {"model": Problem, "description": "The model failed while it wrote."},
    503: {"model": Problem, "description": "Busy, or the model can not be loaded."},
}


class RateLimit:
    """A bucket of tokens for each address: `per_minute` of them, refilled evenly."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._now = now
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, when

    def take(self, address: str) -> float:
        """0.0 where the request may pass, else the seconds until the next one may."""
        if not self._capacity:
            return 0.0
        now, rate = self._now(), self._capacity / 60.0
        with self._lock:
            tokens, then = self._buckets.pop(address, (self._capacity, now))
            tokens = min(self._capacity, tokens + (now - then) * rate)
            wait_s = 0.0 if tokens >= 1.0 else (1.0 - tokens) / rate
            self._buckets[address] = (tokens if wait_s else tokens - 1.0, now)
            while len(self._buckets) > _MAX_ADDRESSES:
                self._buckets.popitem(last=False)
        return wait_s


class _BodyLimit:
    """Refuses bodies over the limit while they arrive, before anything parses them."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                answer = _problem(
                    413, f"The body is over {self._limit:,} bytes. Send less at once."
                )
                await answer(scope, receive, send)
                return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, replay, send)


def _problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, headers)


def build_api(rewriter: Rewriter, settings: Settings, *, version: str) -> FastAPI:
    """The application with its routes, its errors as sentences, its limits and its own docs."""
    api = FastAPI(
        title="SR-LLM",
        version=version,
        description="Finds what is unsafe in a text and rewrites it with every variant.",
        docs_url=None,  # the usual page loads its script from elsewhere
        redoc_url=None,
        root_path_in_servers=False,
    )
    limit = RateLimit(settings.rate_limit)

    @api.middleware("http")
    async def limit_rate(
        request: Request, call_next: Callable[[Request], Awaitable[Any]]
    ) -> Any:  # Any: a response of any class
        if request.method == "POST":
            wait_s = limit.take(request.client.host if request.client else "")
            if wait_s:
                seconds = math.ceil(wait_s)
                return _problem(
                    429,
                    f"More than {settings.rate_limit} requests a minute. Try again in {seconds} s.",
                    {"Retry-After": str(seconds)},
                )
        return await call_next(request)

    api.add_middleware(_BodyLimit, limit=MAX_BODY_BYTES)
    _add_error_handlers(api)
    _add_routes(api, rewriter)

    @api.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(api.openapi()))

    return api


def _add_routes(api: FastAPI, rewriter: Rewriter) -> None:
    @api.post("/rewrite", response_model=RewriteAnswer, responses=_PROBLEMS)
    def rewrite(body: RewriteRequest) -> dict[str, object]:
        """Rewrite a text with every variant that is asked for; answers when all have ended."""
        text = _encodable(body.text)
        rewrites = rewriter.rewrite(text, body.variants, guided=body.guided)
        return {
            "text": text,
            "profile": rewriter.profile.name,
            "rewrites": [row.to_json() for row in rewrites],
        }

    @api.post("/analyze", response_model=Risk, responses=_PROBLEMS)
    def analyze(body: AnalyzeRequest) -> dict[str, object]:
        """What is unsafe in a text: scores, labels and the phrases that raise them."""
        return risk_to_json(rewriter.analyze(_encodable(body.text)))

    @api.get("/variants", response_model=VariantsAnswer)
    def variants() -> dict[str, object]:
        """The profile that is served and its variants."""
        profile = rewriter.profile
        return {
            "profile": profile.name,
            "label": profile.label,
            "description": profile.description,
            "max_input_tokens": profile.max_input_tokens,
            "variants": [
                {
                    "name": row.name,
                    "label": row.label,
                    "description": row.description,
                    "is_default": row.is_default,
                }
                for row in profile.variants.values()
            ],
        }


def _encodable(text: str) -> str:
    r"""Lone surrogates ("\ud800" in JSON) can not be encoded: U+FFFD takes their place."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _add_error_handlers(api: FastAPI) -> None:
    @api.exception_handler(SrllmError)
    def expected(request: Request, error: SrllmError) -> JSONResponse:
        status = next((code for kind, code in _STATUS_OF if isinstance(error, kind)), 500)
        headers = {"Retry-After": str(_BUSY_RETRY_S)} if isinstance(error, BusyError) else None
        return _problem(status, str(error), headers)

    @api.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return _problem(400, "The body is not valid JSON. Send an object with the key 'text'.")
        where = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
        return _problem(422, f"{where}: {first['msg']}. See /api/docs.")

    @api.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, f"{error.detail}. See /api/docs.")

    @api.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        _LOG.error("request failed", exc_info=error)
        return _problem(500, "Something went wrong on the server; its log has the details.")


def docs_page(schema: dict[str, Any]) -> str:  # Any: an OpenAPI document
    """The endpoints of an OpenAPI document as one page that loads nothing."""
    sections = "".join(
        _docs_section(path, method.upper(), operation, schema["components"]["schemas"])
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    )
    return _DOCS_FRAME.format(
        title=escape(schema["info"]["title"]),
        about=escape(schema["info"]["description"]),
        sections=sections,
    )


def _docs_section(
    path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]
) -> str:  # Any: parts of an OpenAPI document
    parts = [
        f"<section><h2><code>{method} /api{escape(path)}</code></h2>"
        f"<p>{escape(operation.get('description', ''))}</p>"
    ]
    body = operation.get("requestBody")
    if body:
        name = _schema_name(body["content"]["application/json"]["schema"])
        example = {
            key: field["examples"][0]
            for key, field in schemas[name]["properties"].items()
            if "examples" in field
        }
        parts.append(f"<h3>Request</h3>{_docs_table(schemas[name])}")
        parts.append(
            f"<pre>curl -s http://127.0.0.1:7860/api{escape(path)} "
            "-H 'Content-Type: application/json' "
            f"-d '{escape(json.dumps(example), quote=False)}'</pre>"
        )
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    parts.append(f"<h3>Answer</h3>{_docs_table(schemas[_schema_name(answer)])}")
    problems = "".join(
        f"<li><code>{code}</code> {escape(response['description'])}</li>"
        for code, response in operation["responses"].items()
        if code != "200"
    )
    if problems:
        parts.append(f"<h3>Errors</h3><ul>{problems}</ul>")
    return "".join(parts) + "</section>"


def _schema_name(schema: dict[str, Any]) -> str:  # Any: part of an OpenAPI document
    return str(schema["$ref"]).rsplit("/", 1)[-1]


def _type_name(field: dict[str, Any]) -> str:  # Any: part of an OpenAPI document
    if "$ref" in field:
        return _schema_name(field)
    if "anyOf" in field:
        return " or ".join(_type_name(choice) for choice in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {_type_name(field['items'])}"
    return str(field.get("type", "object"))


def _docs_table(schema: dict[str, Any]) -> str:  # Any: part of an OpenAPI document
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td>"
        f"<td>{escape(_type_name(field))}{'' if name in required else ', optional'}</td>"
        f"<td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in schema["properties"].items()
    )
    return f"<div class='wide'><table>{rows}</table></div>"


_DOCS_FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}: JSON interface</title><style>
body {{ font: 16px/1.55 system-ui, sans-serif; max-width: 860px; margin: 0 auto;
  padding: 24px 16px 64px; color: light-dark(#1c1c1a, #f1f0ec);
  background: light-dark(#fbfbfa, #151514); }}
a {{ color: light-dark(#2f4bb8, #9db2ff); }}
h2 {{ margin: 36px 0 6px; font-size: 19px; }}
h3 {{ margin: 18px 0 4px; font-size: 14px; }}
table {{ border-collapse: collapse; font-size: 14.5px; }}
td {{ padding: 6px 18px 6px 0; vertical-align: top;
  border-bottom: 1px solid light-dark(#e2e1dd, #35342f); }}
.wide {{ overflow-x: auto; }}
code, pre {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .88em; }}
pre {{ background: light-dark(#f3f3f1, #252522); padding: 12px 14px; border-radius: 8px;
  white-space: pre-wrap; overflow-wrap: anywhere; }}
</style></head><body><p><a href="/">Back to the page</a></p><h1>{title}: JSON interface</h1>
<p>{about} The machine-readable description is <a href="/api/openapi.json">openapi.json</a>.</p>
{sections}</body></html>"""
