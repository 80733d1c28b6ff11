import pytest
from fastapi.testclient import TestClient

from srllm.errors import BusyError, ModelUnavailableError
from srllm.rest import MAX_BODY_BYTES, RateLimit, build_api
from srllm.rewriter import Rewriter
from srllm.settings import Settings

SETTINGS = Settings(profile="echo", rate_limit=0)


@pytest.fixture(scope="module")
def rewriter():
    built = Rewriter.from_settings(SETTINGS)
    yield built
    built.close()


@pytest.fixture
def client(rewriter):
    return TestClient(build_api(rewriter, SETTINGS, version="1"))


def test_rewrite_answers_with_every_default_variant(client):
    answer = client.post("/rewrite", json={"text": "What an idiot."})
    assert answer.status_code == 200
    body = answer.json()
    assert body["text"] == "What an idiot."
    assert [row["variant"] for row in body["rewrites"]] == [
        "safe_peft_1ep",
        "safe_peft_5ep",
        "safe_dense_ift",
        "safe_dense_it",
    ]
    assert all(row["text"] == "What an person." for row in body["rewrites"])
    assert body["rewrites"][0]["risk_before"]["labels"].keys() == {
        "BIAS",
        "TOXICITY",
        "SENTIMENT",
        "HARM",
    }


def test_rewrite_takes_only_the_variants_that_are_asked_for(client):
    answer = client.post("/rewrite", json={"text": "Hello there.", "variants": ["base"]})
    assert [row["variant"] for row in answer.json()["rewrites"]] == ["base"]


def test_analyze_gives_scores_labels_and_spans(client):
    body = client.post("/analyze", json={"text": "What a stupid idiot."}).json()
    assert body["is_unsafe"] is True
    assert 0.5 < body["scores"]["toxicity"] <= 1.0
    assert body["spans"]


def test_variants_lists_the_profile(client):
    body = client.get("/variants").json()
    assert body["profile"] == "echo"
    assert body["max_input_tokens"] == 512
    assert sum(row["is_default"] for row in body["variants"]) == 4


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ('{"text": ""}', 422, "The text is empty"),
        ('{"text": "   "}', 422, "The text is empty"),
        ('{"text": "x", "variants": ["nope"]}', 422, "no variant named 'nope'"),
        ('{"text": "x", "variants": []}', 422, "No variant was chosen"),
        ('{"text": "x", "temperature": 1}', 422, "temperature"),
        ('{"text": 3}', 422, "text"),
        ("{}", 422, "text"),
        ("[]", 422, "See /api/docs"),
        ("{", 400, "not valid JSON"),
        ('{"text": "' + "word " * 600 + '"}', 422, "600 tokens"),
    ],
)
def test_what_can_not_be_used_is_one_sentence(client, body, status, words):
    answer = client.post("/rewrite", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert list(answer.json()) == ["error"]


def test_a_lone_surrogate_is_replaced_instead_of_failing(client):
    answer = client.post(
        "/rewrite", content=b'{"text": "a \\ud800 b"}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200
    assert answer.json()["text"] == "a \ufffd b"


def test_a_body_over_the_limit_is_refused_before_it_is_parsed(client):
    answer = client.post("/rewrite", content=b"x" * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    assert "1,000,000 bytes" in answer.json()["error"]


def test_a_body_sent_in_pieces_counts_as_a_whole(client):
    answer = client.post("/rewrite", content=(b"x" * 100_000 for _ in range(11)))
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("error", "status"),
    [(BusyError("Full. Try again."), 503), (ModelUnavailableError("No weights. Fetch them."), 503)],
)
def test_a_model_that_can_not_answer_is_503_with_its_sentence(
    rewriter, client, monkeypatch, error, status
):
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(rewriter, "rewrite", fail)
    answer = client.post("/rewrite", json={"text": "x"})
    assert answer.status_code == status
    assert answer.json() == {"error": str(error)}
    assert ("Retry-After" in answer.headers) == isinstance(error, BusyError)


def test_a_bug_is_logged_and_shown_as_a_general_sentence(rewriter, monkeypatch, caplog):
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(rewriter, "rewrite", fail)
    client = TestClient(build_api(rewriter, SETTINGS, version="1"), raise_server_exceptions=False)
    answer = client.post("/rewrite", json={"text": "x"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text


def test_an_unknown_path_is_a_sentence(client):
    answer = client.get("/nope")
    assert answer.status_code == 404
    assert "/api/docs" in answer.json()["error"]


def test_too_many_requests_are_told_when_to_go_on(rewriter):
    client = TestClient(build_api(rewriter, Settings(profile="echo", rate_limit=2), version="1"))
    answers = [client.post("/analyze", json={"text": "Hello."}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 30
    assert client.get("/variants").status_code == 200


def test_the_bucket_refills_evenly_and_for_each_address():
    clock = [0.0]
    limit = RateLimit(60, now=lambda: clock[0])  # one a second
    assert [limit.take("a") for _ in range(60)] == [0.0] * 60
    assert limit.take("a") == pytest.approx(1.0)
    assert limit.take("b") == 0.0
    clock[0] = 1.0
    assert limit.take("a") == 0.0
    assert limit.take("a") > 0.0


def test_the_docs_page_describes_every_path_and_loads_nothing(client):
    page = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert f"/api{path}" in page
    assert "<script" not in page and "<link" not in page and "src=" not in page
    assert "https://" not in page
