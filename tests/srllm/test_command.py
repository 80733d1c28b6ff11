from __future__ import annotations

import json

import pytest

from srllm.__main__ import main
from srllm.texts import load_texts

TEXT = "Only an idiot would say so."


@pytest.fixture(autouse=True)
def echo_profile(monkeypatch):
    monkeypatch.setenv("SRLLM_PROFILE", "echo")


def test_one_text_prints_every_variant(capsys):
    assert main(["rewrite", TEXT]) == 0
    out = capsys.readouterr().out
    assert out.count("Only an person would say so.") == 4
    assert "Safe_Dense-IT  [rewritten; risk 0." in out


def test_json_holds_the_rows_of_the_chosen_variants(capsys):
    assert main(["rewrite", TEXT, "--json", "--variant", "base", "--variant", "few_shot"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["variant"] for row in found["rewrites"]] == ["base", "few_shot"]
    assert found["rewrites"][0]["outcome"] == "rewritten"


def test_a_file_becomes_one_row_a_text(tmp_path, capsys):
    (tmp_path / "in.csv").write_text(f'id,text\n1,"{TEXT}"\n2,"The sky is blue."\n')
    out = tmp_path / "new" / "out.jsonl"
    assert main(["rewrite", "--file", str(tmp_path / "in.csv"), "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == [TEXT, "The sky is blue."]
    assert [r["outcome"] for r in rows[1]["rewrites"]] == ["already_benign"] * 4
    assert "2 of 2 texts" in capsys.readouterr().err


def test_a_table_can_be_written_too(tmp_path):
    (tmp_path / "in.txt").write_text(f"{TEXT}\nThe sky is blue.\n")
    out = tmp_path / "out.csv"
    arguments = ["--file", str(tmp_path / "in.txt"), "--out", str(out), "--variant", "base"]
    assert main(["rewrite", *arguments]) == 0
    assert load_texts(out, "base_rewrite") == ["Only an person would say so.", "The sky is blue."]


def test_a_text_that_is_too_long_fails_alone(tmp_path, capsys):
    (tmp_path / "in.txt").write_text("The sky is blue.\n" + "word " * 600 + "\n")
    out = tmp_path / "out.jsonl"
    assert main(["rewrite", "--file", str(tmp_path / "in.txt"), "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows[0]["error"] is None and "600 tokens, the limit is 512" in rows[1]["error"]
    assert "1 texts failed" in capsys.readouterr().err


def test_analyze_marks_the_phrases(capsys):
    assert main(["analyze", "You are a complete idiot and everybody hates you.", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["is_unsafe"] and set(found["labels"]) == {"BIAS", "TOXICITY", "SENTIMENT", "HARM"}
    marked = [found["text"][span["start"] : span["end"]] for span in found["spans"]]
    assert any("idiot" in phrase for phrase in marked)


def test_lists_name_what_there_is(capsys):
    assert main(["variants", "--profile", "embedded"]) == 0
    assert main(["profiles", "--json"]) == 0
    out = capsys.readouterr().out
    assert "safe_dense_it" in out and "llama2-7b-chat" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rewrite"], "No text was given"),
        (["rewrite", " "], "The text is empty"),
        (["rewrite", "x", "--variant", "nope"], "Known: safe_peft_1ep"),
        (["rewrite", "x", "--profile", "nope"], "Known: embedded"),
        (["rewrite", "x", "--out", "a.jsonl"], "--out needs --file"),
        (["rewrite", "--file", "none.csv"], "--file needs --out"),
        (["rewrite", "--file", "none.csv", "--out", "a.txt"], "must end in .jsonl or .csv"),
        (["rewrite", "--file", "none.csv", "--out", "a.jsonl"], "can not be read"),
        (["variants", "--profiles-file", "none.yaml"], "can not be read"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(capsys, arguments, message):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1 and not captured.out


def test_no_file_is_left_where_nothing_could_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("SRLLM_PROFILE", "embedded")
    path = tmp_path / "profiles.json"
    row = {"backend": "local", "base_model": "./none", "variants": {"a": {"prompt": "compact"}}}
    path.write_text(json.dumps({"profiles": {"lost": row}}))
    (tmp_path / "in.txt").write_text("x\n")
    out = tmp_path / "out.jsonl"
    options = ["--profile", "lost", "--profiles-file", str(path), "--out", str(out)]
    assert main(["rewrite", "--file", str(tmp_path / "in.txt"), *options]) == 2
    assert not out.exists()
