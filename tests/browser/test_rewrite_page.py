import json
import re
import threading
from types import SimpleNamespace

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Page, expect  # noqa: E402

pytestmark = pytest.mark.browser

LABELS = ("Safe_PEFT-1_ep", "Safe_PEFT-5_ep", "Safe_Dense-IFT", "Safe_Dense-IT")
UNSAFE = "Only an idiot would fail to see the flaws in this stupid plan."
REWRITTEN = "Only an person would fail to see the flaws in this unwise plan."
LONG = "word " * 60 + "idiot"


def text_box(page: Page):
    return page.get_by_label("Text to rewrite")


def go(page: Page):
    return page.get_by_role("button", name=re.compile(r"^Rewrite(?! all)"))


def column(page: Page, label: str):
    return page.get_by_role("article", name=label)


def status(page: Page):
    return page.locator("#sr-status")


def rewrite(page: Page, text: str = UNSAFE, n_columns: int = 4) -> None:
    text_box(page).fill(text)
    go(page).click()
    expect(page.locator(".sr-column[data-state=done]")).to_have_count(n_columns)


def test_typing_and_ctrl_enter_stream_into_four_columns_at_once(visit):
    page = visit("slow")
    text_box(page).press_sequentially("What an idiot", delay=5)
    expect(page.get_by_text("3 of 512 tokens")).to_be_visible()
    text_box(page).fill(UNSAFE)
    page.keyboard.press("Control+Enter")
    for label in LABELS:  # all of them write before any is done
        expect(column(page, label).locator(".sr-text")).to_contain_text("Only an")
    assert page.locator(".sr-column[aria-busy=true]").count() == 4
    for label in LABELS:
        expect(column(page, label)).to_contain_text(REWRITTEN)
        expect(column(page, label)).to_contain_text("rewritten")
        expect(column(page, label)).to_contain_text(re.compile(r"before 0\.\d\d.*after 0\.\d\d"))
        expect(column(page, label)).to_contain_text(re.compile(r"\d+(\.\d)? s"))
    expect(status(page)).to_contain_text(re.compile(r"4 rewrites in \d"))


def test_columns_have_the_same_height_and_stay_where_they_are(visit):
    page = visit("slow")
    before = column(page, LABELS[0]).bounding_box()
    text_box(page).fill("Only an idiot says so.")
    go(page).click()
    expect(column(page, LABELS[0]).locator(".sr-text")).to_contain_text("Only")
    during = column(page, LABELS[0]).bounding_box()
    expect(page.locator(".sr-column[data-state=done]")).to_have_count(4)
    after = [column(page, label).bounding_box() for label in LABELS]
    assert before["y"] == pytest.approx(during["y"], abs=8)
    assert before["height"] == pytest.approx(after[0]["height"], abs=1)
    assert {box["height"] for box in after} == {after[0]["height"]}


def test_what_was_found_is_said_in_words_and_marked_in_the_text(visit):
    page = visit()
    rewrite(page)
    found = page.get_by_role("region", name="What was found")
    expect(found).to_contain_text(re.compile(r"Overall.*unsafe"))
    expect(found).to_contain_text("Sentiment")
    expect(found.locator("mark").first).to_contain_text(re.compile("toxicity|bias|harm"))


def test_changes_are_shown_on_request_and_said_to_be_pressed(visit):
    page = visit()
    rewrite(page)
    first = column(page, LABELS[0])
    toggle = first.get_by_role("button", name="Changes")
    expect(first.get_by_role("deletion").first).to_be_hidden()
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")
    expect(first.get_by_role("deletion").first).to_have_text("idiot")
    expect(first.get_by_role("insertion").first).to_have_text("person")
    expect(column(page, LABELS[1]).get_by_role("deletion").first).to_be_hidden()
    toggle.click()
    expect(first.get_by_role("deletion").first).to_be_hidden()


def test_a_rewrite_can_be_copied(visit):
    page = visit()
    rewrite(page)
    button = column(page, LABELS[2]).get_by_role("button", name="Copy")
    button.click()
    expect(button).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == REWRITTEN


def test_an_example_fills_the_box_and_a_benign_text_stays(visit):
    page = visit()
    page.get_by_role("button", name="already benign").click()
    expect(text_box(page)).to_have_value(re.compile("Third night"))
    go(page).click()
    expect(page.locator(".sr-column[data-state=done]")).to_have_count(4)
    expect(column(page, LABELS[0])).to_contain_text("Third night of drilling")
    expect(column(page, LABELS[0]).get_by_role("button", name="Changes")).to_have_count(0)


def test_other_variants_can_be_chosen(visit):
    page = visit()
    page.get_by_role("button", name=re.compile("^Advanced")).click()
    page.get_by_role("checkbox", name="Base, zero-shot").check()
    page.get_by_role("checkbox", name=LABELS[0]).uncheck()
    rewrite(page)
    expect(column(page, "Base, zero-shot")).to_contain_text(REWRITTEN)
    expect(column(page, LABELS[0])).to_have_count(0)


def test_a_variant_that_fails_says_so_in_its_column_and_the_others_go_on(visit):
    page = visit("partly")
    rewrite(page, n_columns=3)
    expect(column(page, LABELS[3])).to_contain_text("were not found")
    expect(column(page, LABELS[0])).to_contain_text(REWRITTEN)


def test_an_empty_text_is_answered_at_its_place(visit):
    page = visit()
    go(page).click()
    expect(status(page).get_by_role("alert")).to_contain_text("The text is empty")


@pytest.mark.parametrize("n_words", [600, 20_000])  # the second is 100 kB
def test_an_over_long_text_is_answered_with_the_limit(visit, n_words):
    page = visit()
    text_box(page).fill("word " * n_words)
    go(page).click()
    expect(status(page).get_by_role("alert")).to_contain_text("512")
    text_box(page).fill("Fine now.")
    go(page).click()
    expect(column(page, LABELS[0])).to_contain_text("Fine now.")


def test_missing_weights_are_a_sentence_that_says_what_to_do(visit):
    page = visit("broken")
    text_box(page).fill(UNSAFE)
    go(page).click()
    expect(status(page).get_by_role("alert")).to_contain_text("Fetch them with git lfs.")
    page.get_by_role("button", name=re.compile("^Model")).click()
    expect(page.get_by_role("dialog", name="The model")).to_contain_text("were not found")


def test_loading_the_model_can_be_seen(visit, monkeypatch):
    may_end = threading.Event()  # loading takes as long as the test wants
    clock = SimpleNamespace(sleep=lambda seconds: may_end.wait(60))
    monkeypatch.setattr("srllm.backends.echo.time", clock)
    page = visit("loading")
    expect(page.get_by_role("button", name=re.compile("^Model"))).to_contain_text("loading")
    text_box(page).fill(UNSAFE)
    go(page).click()
    expect(status(page)).to_contain_text("Loading the model ...")
    may_end.set()
    expect(column(page, LABELS[0])).to_contain_text(REWRITTEN)
    expect(page.get_by_role("button", name=re.compile("^Model"))).to_contain_text("ready")


@pytest.mark.parametrize(
    "text",
    [
        "<script>window.pwned = 1</script> idiot",
        "<img src=x onerror='window.pwned = 1'> idiot",
        "</p></article><h1>Broken out</h1> idiot",
        "**bold** _it_ [link](javascript:window.pwned=1) `code` # no",
        "${window.pwned = 1} {{7*7}} {{#if 1}} `${7*7}` idiot",
        "&lt;b&gt; &amp; \" ' idiot",
        "\U0001f469\u200d\U0001f680 \U0001f1e9\U0001f1ea \u00e9\u0301 idiot",
    ],
)
def test_markup_and_templates_are_shown_as_they_were_typed(visit, text):
    page = visit()
    rewrite(page, text)
    page.get_by_role("button", name=re.compile("^As JSON")).click()
    shown = column(page, LABELS[0]).locator(".sr-text").first
    expect(shown).to_have_text(text.replace("idiot", "person"), use_inner_text=True)
    made = page.locator(".sr-found, .sr-column, .sr-code").locator("img, h1, script, b, a")
    assert made.count() == 0
    assert page.evaluate("window.pwned") is None


def test_direction_and_control_characters_are_named_not_obeyed(visit):
    page = visit()
    rewrite(page, "an \u202eidiot\u202c and \u2066more\u2069 \x00 \x07 end")
    found = page.get_by_role("region", name="What was found")
    for name in ("RLO", "PDF", "LRI", "␀", "␇"):
        expect(found).to_contain_text(name)
    assert "\u202e" not in page.locator("#sr-columns").inner_text()


def test_a_link_with_the_text_after_the_hash_fills_the_box(visit):
    page = visit(path="/#text=caf%C3%A9%20%26%20%3Cb%3E")
    expect(text_box(page)).to_have_value("café & <b>")


def test_a_link_can_be_made_and_opens_the_same_text(visit):
    page = visit()
    text_box(page).fill("Why? #1 & 100% é")
    page.get_by_role("button", name="Copy link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert "?" not in link.split("#")[0]
    page.goto("about:blank")
    page.goto(link)
    expect(text_box(page)).to_have_value("Why? #1 & 100% é")


def test_cancel_stops_the_writing_and_the_next_run_is_complete(visit, site):
    page = visit("slow")
    text_box(page).fill(LONG)
    go(page).click()
    expect(column(page, LABELS[0]).locator(".sr-text")).to_contain_text("word word")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(status(page)).to_contain_text("Cancelled.")
    expect(column(page, LABELS[3])).to_contain_text("Cancelled.")
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_hidden()
    rewrite(page, "Only an idiot says so.")
    expect(column(page, LABELS[3])).to_contain_text("Only an person says so.")


def test_the_work_of_a_visitor_who_leaves_is_stopped(visit, site):
    page, watcher = visit("slow"), visit("slow", "/healthz")
    text_box(page).fill(LONG * 5)
    go(page).click()
    expect(column(page, LABELS[0]).locator(".sr-text")).to_contain_text("word word")
    page.close()

    def n_running() -> int:
        return watcher.evaluate("fetch('/healthz').then(a => a.json()).then(a => a.model.running)")

    for _ in range(50):
        if n_running() == 0:
            break
        watcher.wait_for_timeout(100)
    assert n_running() == 0


def test_two_visitors_see_each_their_own_text(visit):
    first, second = visit("slow"), visit("slow")
    text_box(first).fill("The first idiot is here today.")
    text_box(second).fill("The second idiot is there tomorrow.")
    go(first).click()
    go(second).click()
    for label in LABELS:
        expect(column(first, label)).to_contain_text("The first person is here today.")
        expect(column(second, label)).to_contain_text("The second person is there tomorrow.")


def test_a_text_is_kept_only_with_consent(visit, data_dir):
    kept = data_dir / "kept_texts.jsonl"
    page = visit()
    rewrite(page, "Not to be kept, idiot.")
    page.get_by_label("Keep this text").check()
    rewrite(page, "This may be kept, idiot.")
    expect(status(page)).to_contain_text("were kept, as you agreed")
    texts = [json.loads(line)["text"] for line in kept.read_text("utf-8").splitlines()]
    assert texts == ["This may be kept, idiot."]


def test_the_same_can_be_asked_from_a_shell(visit):
    page = visit()
    rewrite(page)
    page.get_by_role("button", name=re.compile("^As JSON")).click()
    expect(page.get_by_text(re.compile("^curl -s http://127.0.0.1"))).to_be_visible()
    answer = json.loads(page.locator(".sr-code pre").nth(1).inner_text())
    assert [row["text"] for row in answer["rewrites"]] == [REWRITTEN] * 4


def test_the_keyboard_alone_is_enough(visit):
    page = visit()
    text_box(page).focus()
    page.keyboard.type("What an idiot.")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "sr-go":
            break
    page.keyboard.press("Enter")
    expect(page.locator(".sr-column[data-state=done]")).to_have_count(4)
    column(page, LABELS[0]).get_by_role("button", name="Changes").focus()
    page.keyboard.press("Space")
    expect(column(page, LABELS[0]).get_by_role("deletion").first).to_be_visible()


def test_dark_follows_the_system_and_the_visitor_s_choice_is_remembered(visit):
    page = visit(color_scheme="dark")
    expect(page.locator("body.dark")).to_have_count(1)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(page.locator("body.dark")).to_have_count(0)
    page.reload()
    expect(text_box(page)).to_be_visible()
    expect(page.locator("body.dark")).to_have_count(0)
    assert page.evaluate(ground) != dark


@pytest.mark.parametrize(("width", "n_in_a_row"), [(360, 1), (768, 2), (1440, 4)])
def test_columns_wrap_and_nothing_scrolls_sideways(visit, width, n_in_a_row):
    page = visit(viewport={"width": width, "height": 800})
    rewrite(page, "Only an idiot says so, Donaudampfschifffahrtsgesellschaftskapitänsmützenband.")
    for name in ("Advanced", "Many texts", "As JSON"):
        page.get_by_role("button", name=re.compile(f"^{name}")).click()
    expect(page.get_by_label("Texts, one a line")).to_be_visible()
    tops = [column(page, label).bounding_box()["y"] for label in LABELS]
    assert tops.count(tops[0]) == n_in_a_row
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert go(page).bounding_box()["y"] < 800  # no scrolling to find the button


def test_the_content_note_is_shown_once(visit):
    page = visit()
    note = page.get_by_role("complementary", name="Content note")
    note.get_by_role("button", name="Understood").click()
    expect(note).to_be_hidden()
    page.reload()
    expect(text_box(page)).to_be_visible()
    expect(note).to_be_hidden()


def test_every_page_of_the_header_answers(visit):
    page = visit()
    page.get_by_role("link", name="About").click()
    expect(page.get_by_role("heading", name="About")).to_be_visible()
    expect(page.get_by_role("link", name="About")).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="Rewrite").click()
    expect(text_box(page)).to_be_visible()
