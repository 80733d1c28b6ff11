"""The main journey on the weights that ship with the project."""

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import expect  # noqa: E402

from srllm.variants import PAPER_VARIANTS, PROFILES  # noqa: E402

pytestmark = pytest.mark.browser
WEIGHTS = Path(PROFILES["embedded"].base_model).parent
MISSING = [name for name in ("base", *PAPER_VARIANTS) if not (WEIGHTS / name).is_dir()]


@pytest.mark.skipif(bool(MISSING), reason=f"no weights in {WEIGHTS}: {', '.join(MISSING)}")
def test_the_embedded_models_rewrite_an_insult_and_keep_a_benign_text(visit):
    page = visit("embedded")
    page.get_by_label("Text to rewrite").fill("My idiot neighbour parked in front of my gate.")
    page.keyboard.press("Control+Enter")
    done = page.locator(".sr-column[data-state=done]")
    expect(done).to_have_count(4, timeout=120_000)
    texts = [text.inner_text() for text in page.locator(".sr-body > .sr-text:not(.sr-diff)").all()]
    assert any(text and "idiot" not in text for text in texts)
    expect(page.locator("#sr-status")).to_contain_text(re.compile("4 rewrites in"))

    page.get_by_label("Text to rewrite").fill("The library opens at nine on Saturdays.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("region", name="What was found")).to_contain_text("The library")
    expect(done).to_have_count(4, timeout=60_000)
    kept = [text.inner_text() for text in page.locator(".sr-body > .sr-text:not(.sr-diff)").all()]
    assert kept.count("The library opens at nine on Saturdays.") >= 3
