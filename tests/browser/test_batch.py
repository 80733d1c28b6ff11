import csv
import json
import re

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Page, expect  # noqa: E402

pytestmark = pytest.mark.browser


def open_batch(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Many texts")).click()
    expect(page.get_by_label("Texts, one a line")).to_be_visible()


def status(page: Page):
    return page.locator("#sr-batch-status")


def upload(page: Page, path) -> None:
    page.locator("#sr-file input[type=file]").set_input_files(path)
    # Gradio sets the stem and the suffix apart; the link is there once the file has arrived.
    expect(page.locator("#sr-file").get_by_role("row")).to_contain_text(path.stem)
    expect(page.locator("#sr-file").get_by_role("link")).to_be_visible()


def start(page: Page) -> None:
    page.get_by_role("button", name="Rewrite all").click()


def download(page: Page, name: str, folder):
    with page.expect_download() as waiting:
        page.locator("a, button").filter(has_text=name).last.click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_a_file_is_rewritten_previewed_and_downloaded(visit, tmp_path):
    source = tmp_path / "texts.csv"
    source.write_text('id,comment\n1,What an idiot.\n2,"=1+1, <b>fine</b>"\n', encoding="utf-8")
    page = visit()
    open_batch(page)
    upload(page, source)
    page.get_by_label("Column of the texts").fill("comment")
    start(page)
    expect(status(page)).to_contain_text("2 of 2 texts")
    preview = page.get_by_role("region", name="Rewrites of many texts")
    expect(preview).to_contain_text("What an person.")
    expect(preview).to_contain_text("<b>fine</b>")

    with download(page, "Download CSV", tmp_path).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["safe_peft_1ep_rewrite"] for row in rows][0] == "What an person."
    assert rows[1]["text"] == "'=1+1, <b>fine</b>"  # spreadsheets must not compute it
    lines = download(page, "Download JSONL", tmp_path).read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[1])["text"] == "=1+1, <b>fine</b>"
    assert len(json.loads(lines[0])["rewrites"]) == 4


def test_lines_are_rewritten_and_one_bad_line_does_not_stop_the_others(visit):
    page = visit()
    open_batch(page)
    page.get_by_label("Texts, one a line").fill("An idiot.\n\n" + "word " * 600 + "\nDone.")
    start(page)
    expect(status(page)).to_contain_text("3 of 3 texts, 1 could not be rewritten")
    preview = page.get_by_role("region", name="Rewrites of many texts")
    expect(preview).to_contain_text("An person.")
    expect(preview).to_contain_text("600 tokens")


def test_a_batch_shows_how_long_it_still_takes_and_can_be_cancelled(visit):
    page = visit("slow")
    open_batch(page)
    page.get_by_label("Texts, one a line").fill("\n".join(["What an idiot he is."] * 400))
    start(page)
    expect(status(page)).to_contain_text(re.compile(r"\d+ of 400 texts, about .* left"))
    page.get_by_role("button", name="Cancel batch").click()
    expect(status(page)).to_contain_text(re.compile(r"Cancelled after \d+ of 400"))
    expect(page.get_by_text("Download CSV").last).to_be_enabled()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("model.csv", b"text\n\x00\x01\xff", "binary file"),
        ("photo.png", b"\x89PNG\r\n\x1a\n\x00\x00", "is no file of texts"),
        ("latin.csv", "text\ncafé".encode("latin-1"), "not in UTF-8"),
        ("wrong.csv", b"body\nhello\n", "no column 'text'"),
        ("many.txt", b"line\n" * 1001, "the limit is 1,000"),
    ],
)
def test_a_file_that_can_not_be_used_is_one_sentence(visit, tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content)
    page = visit()
    open_batch(page)
    upload(page, path)
    start(page)
    expect(status(page).get_by_role("alert")).to_contain_text(sentence)


def test_nothing_to_rewrite_is_said(visit):
    page = visit()
    open_batch(page)
    start(page)
    expect(status(page).get_by_role("alert")).to_contain_text("There is no text")
