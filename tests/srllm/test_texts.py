from __future__ import annotations

import json

import pytest

from srllm.errors import InputError
from srllm.texts import load_texts, write_atomically, write_csv, write_jsonl


def test_a_table_with_bom_quotes_and_line_breaks(tmp_path):
    path = tmp_path / "in.csv"
    path.write_bytes(b'\xef\xbb\xbfid, text\r\n1,"one, ""two""\nthree"\r\n2,caf\xc3\xa9\r\n')
    assert load_texts(path) == ['one, "two"\nthree', "caf\u00e9"]


def test_tabs_lines_and_json(tmp_path):
    (tmp_path / "a.tsv").write_text("n\tpost\n1\tone, two\n")
    (tmp_path / "a.txt").write_text("one\n\n  two \r\n")
    (tmp_path / "a.jsonl").write_text('{"text": "one\\u2028two"}\n\n{"text": "three"}\n')
    assert load_texts(tmp_path / "a.tsv", column="post") == ["one, two"]
    assert load_texts(tmp_path / "a.txt") == ["one", "two"]
    assert load_texts(tmp_path / "a.jsonl") == ["one\u2028two", "three"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"x", "no file of texts"),
        ("a.csv", b"PK\x03\x04\x00\x00", "binary file"),
        ("a.csv", "text\nhello\n".encode("utf-16"), "UTF-16"),
        ("a.csv", b"text\ncaf\xe9\n", "not in UTF-8 .byte 8 is 0xe9"),
        ("a.csv", b"", "no column 'text'. Columns found: none"),
        ("a.csv", b"body,id\nx,1\n", "Columns found: 'body', 'id'"),
        ("a.csv", b"text,text\nx,y\n", "more than one column"),
        ("a.csv", b"text\n", "holds no text"),
        ("a.csv", b"id,text\n1,\n", "Line 2 .* has no text"),
        ("a.csv", b"id,text\n1,one, two\n", "has 3 fields, the header has 2"),
        ("a.csv", b'text\n"open\n', "not a proper table"),
        ("a.txt", b" \n\n", "holds no text"),
        ("a.jsonl", b"{bad\n", "Line 1 .* is not JSON"),
        ("a.jsonl", b'{"body": "x"}\n', "no key 'text'. Found: 'body'"),
        ("a.jsonl", b'["x"]\n', "Found: no object"),
        ("a.jsonl", b'{"text": 5}\n', "must be a text, got 5"),
        ("a.txt", b"x\n" * 4, "holds 4 texts, the limit is 3"),
    ],
)
def test_files_that_can_not_be_used_are_one_sentence(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_texts(path, limit=3)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="can not be read: No such file"):
        load_texts(tmp_path / "none.csv")


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("old")

    def rows():
        yield {"a": 1}
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        write_jsonl(path, rows())
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_rows_are_written_as_they_are(tmp_path):
    assert write_jsonl(tmp_path / "new" / "out.jsonl", [{"text": "caf\u00e9\n"}]) == 1
    line = (tmp_path / "new" / "out.jsonl").read_text(encoding="utf-8")
    assert json.loads(line) == {"text": "caf\u00e9\n"} and "\\u" not in line


def test_a_table_runs_no_formula_and_is_read_back(tmp_path):
    path = tmp_path / "out.csv"
    write_csv(path, ["text", "n"], [["=1+1", -2], ['a "b"\nc', 3]])
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert load_texts(path) == ["'=1+1", 'a "b"\nc']


def test_a_path_that_can_not_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="can not be written"),
        write_atomically(tmp_path / "file" / "out.csv"),
    ):
        pass
