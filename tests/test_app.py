"""The whole site over HTTP, without a browser."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import JsonLines, build_app, build_pages, main
from srllm.rewriter import Rewriter
from srllm.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "SRLLM_PROFILE": "echo", "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(profile="echo", data_dir=tmp_path_factory.mktemp("data"), log_level="DEBUG")


@pytest.fixture(scope="module")
def client(settings):
    with TestClient(build_app(settings)) as started:
        yield started


def test_health_is_told_before_anything_is_loaded(settings):
    client = TestClient(build_app(settings))  # no lifespan, no page opened
    answer = client.get("/healthz")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ok" and body["version"] and body["profile"] == "echo"
    assert body["model"]["state"] == "idle"


def test_every_page_of_the_header_answers(client, settings):
    rewriter = Rewriter.from_settings(settings)
    for page in build_pages(settings, rewriter):
        answer = client.get(page.path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/", "/about", "/api/docs"])
def test_pages_may_ask_this_server_only(client, path):
    answer = client.get(path)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    for elsewhere in ("fonts.googleapis", "fonts.gstatic", "cdn.", "unpkg", "jsdelivr"):
        assert elsewhere not in answer.text


def test_the_page_says_nothing_of_its_functions_to_programs(client):
    assert client.get("/gradio_api/info").json()["named_endpoints"] == {}


def test_gradio_keeps_no_history_and_no_monitor(client):
    config = client.get("/config").json()
    assert config["run_history"] is False
    assert config["show_error"] is False
    assert config["footer_links"] == []
    assert config["analytics_enabled"] is False
    assert client.get("/monitoring").status_code in (403, 404)


def test_the_json_interface_is_part_of_the_site(client):
    answer = client.post("/api/rewrite", json={"text": "What an idiot.", "variants": ["base"]})
    assert answer.json()["rewrites"][0]["text"] == "What an person."


def test_the_log_holds_no_text_and_no_query(client, caplog):
    with caplog.at_level(logging.DEBUG):
        client.post("/api/rewrite", json={"text": "A very secret sentence."})
        client.get("/healthz?text=secret+query")
    assert "request" in caplog.messages
    ours = (record for record in caplog.records if not record.name.startswith("httpx"))
    lines = [JsonLines().format(record) for record in ours]
    assert any(json.loads(line).get("path") == "/api/rewrite" for line in lines)
    assert not any("secret" in line for line in lines)


def test_an_exception_is_one_line_of_json():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed", None, sys.exc_info())
    line = JsonLines().format(record)
    assert "\n" not in line
    assert "ValueError" in json.loads(line)["traceback"]


def test_the_first_page_is_served_without_a_model_library():
    program = (
        "import sys; from fastapi.testclient import TestClient; from app import build_app;"
        "from srllm.settings import Settings;"
        "client = TestClient(build_app(Settings(profile='embedded')));"
        "assert client.get('/').status_code == 200;"
        "print([name for name in ('torch', 'transformers', 'peft', 'sklearn', 'scipy', 'lingua')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_port_that_is_taken_is_one_sentence(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--profile", "echo"]) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert f"Port {port} on 127.0.0.1 can not be used" in line and "--port" in line


def test_an_unknown_profile_is_one_sentence(capsys):
    assert main(["--port", "0", "--profile", "nope"]) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "'nope'" in line and "embedded" in line


def test_an_address_that_is_none_is_one_sentence(capsys):
    assert main(["--host", "no.such.host.invalid", "--port", "0", "--profile", "echo"]) == 2
    assert "--host" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_program_cleanly(number, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", "0", "--data-dir", str(tmp_path)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline()
        assert "http://127.0.0.1:" in address
        process.send_signal(number)
        started = time.monotonic()
        _, log = process.communicate(timeout=120)
        assert time.monotonic() - started < 60
    finally:
        process.kill()
    assert process.returncode == 0, log
    rows = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert "stopped" in [row["message"] for row in rows]
    assert "Traceback" not in log
