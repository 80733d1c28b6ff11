import pytest

from srllm.records import Category, Insight, Outcome, Rewrite, RiskReport, RiskSpan
from srllm.taxonomy import Bias, Harm, Sentiment, Toxicity
from srllm.ui import render
from srllm.variants import Variant

VARIANT = Variant("safe_peft_1ep", "Safe_PEFT-1_ep", prompt="paper", description="One epoch")


def report(unsafe: float = 0.9, spans: tuple[RiskSpan, ...] = ()) -> RiskReport:
    scores = {
        Category.UNSAFE: unsafe,
        Category.BIAS: 0.1,
        Category.TOXICITY: unsafe,
        Category.HARM: float("nan"),
        Category.NEGATIVE: 0.7,
    }
    return RiskReport(
        "test 1", scores, 0.5, Bias.NO, Toxicity.HIGH, Harm.LOW, Sentiment.NEGATIVE, spans
    )


def rewrite(original: str, text: str, outcome: Outcome, **more: object) -> Rewrite:
    fields: dict[str, object] = {
        "before": report(),
        "after": report(0.1),
        "insights": (),
        "finish_reason": "stop",
        "n_prompt_tokens": 5,
        "n_new_tokens": 5,
        "elapsed_s": 0.25,
        **more,
    }
    return Rewrite(VARIANT.name, original, text, outcome, **fields)  # type: ignore[arg-type]  # mixed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a \"b\" & 'c'", "a &quot;b&quot; &amp; &#x27;c&#x27;"),
        ("**bold** [x](http://y)", "**bold** [x](http://y)"),
        ("a\nb\tc", "a\nb\tc"),
        ("a\r\nb", "a\nb"),
        ("👩‍🚀", "👩‍🚀"),
    ],
)
def test_markup_is_shown_as_text(text, shown):
    assert render.visible(text) == shown


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\x00", "␀"),
        ("\x1b", "␛"),
        ("\x7f", "U+007F"),
        ("\u202e", "RLO"),
        ("\u2066", "LRI"),
        ("\u200b", "ZWSP"),
        ("\ufeff", "BOM"),
    ],
)
def test_control_and_direction_characters_are_named_not_obeyed(character, name):
    shown = render.visible(f"a{character}b")
    assert character not in shown
    assert f">{name}</span>" in shown


def test_lone_surrogates_become_something_that_can_be_encoded():
    assert render.clean_text("a\ud800b") == "a\ufffdb"
    assert render.clean_text("😀") == "😀"
    render.visible("a\ud800b").encode()


def test_flagged_phrases_are_marked_and_named_in_words():
    spans = (RiskSpan(8, 13, Category.TOXICITY, 0.6), RiskSpan(17, 20, Category.BIAS, 0.4))
    shown = render.marked("Only an idiot or <b>", spans)
    assert shown.startswith("Only an <mark")
    assert "<bdi>idiot</bdi>" in shown and "toxicity" in shown
    assert "<bdi>&lt;b&gt;</bdi>" in shown and "bias" in shown


def test_spans_outside_of_the_text_or_overlapping_lose_no_character():
    spans = (RiskSpan(0, 3, Category.HARM, 0.5), RiskSpan(2, 99, Category.BIAS, 0.5))
    shown = render.marked("abcde", spans)
    assert "<bdi>abc</bdi>" in shown and "<bdi>de</bdi>" in shown


def test_the_difference_strikes_out_and_underlines_escaped_words():
    shown = render.difference("a <i>bad</i> plan", "a good plan")
    assert "<del>" in shown and "<ins>" in shown
    assert "&lt;i&gt;" in shown and "<i>" not in shown


def test_a_column_shows_the_outcome_the_risk_and_the_time_in_words():
    shown = render.column_done(VARIANT, rewrite("an idiot", "a person", Outcome.GUIDED))
    assert "rewritten, guided" in shown and "flagged phrases were ruled out" in shown
    assert "0.90" in shown and "0.10" in shown and "0.2 s" in shown


def test_an_unchanged_rewrite_offers_no_changes():
    shown = render.column_done(VARIANT, rewrite("Fine.", "Fine.", Outcome.ALREADY_BENIGN))
    assert 'data-act="changes"' not in shown and 'data-act="copy"' in shown


def test_no_safe_rewrite_lists_what_is_flagged_and_offers_the_suggestion():
    spans = (RiskSpan(3, 8, Category.TOXICITY, 1.0),)
    failed = rewrite(
        "an idiot",
        "an idiot",
        Outcome.NO_SAFE_REWRITE,
        after=report(0.9, spans),
        suggestion="an <b>",
    )
    shown = render.column_done(VARIANT, failed)
    assert "<q>idiot</q>" in shown
    assert "an &lt;b&gt;" in shown and "Copy this version" in shown


def test_insights_are_escaped():
    noted = rewrite("a", "b", Outcome.REWRITTEN, insights=(Insight("x", "<img src=x>"),))
    assert "&lt;img src=x&gt;" in render.column_done(VARIANT, noted)


def test_a_score_that_does_not_exist_is_not_shown_as_zero():
    assert render.score_text(float("nan")) == "no score"
    assert "no score" in render.found("x", report())


def test_scores_round_to_one_only_when_they_are_one():
    assert render.score_text(0.9999) == "0.99"
    assert render.score_text(1.0) == "1.00"


def test_errors_are_alerts_and_escaped():
    shown = render.message("No <b> here.", tone="unsafe")
    assert 'role="alert"' in shown and "&lt;b&gt;" in shown


@pytest.mark.parametrize(
    ("n_tokens", "words"), [(12, "12 of 512 tokens"), (1024, "1,024 of 512 tokens, 512 too many")]
)
def test_the_count_says_how_many_are_too_many(n_tokens, words):
    assert words in render.token_count(n_tokens, 512)


def test_the_shell_command_survives_quotes():
    shown = render.json_panel('it\'s "$HOME"', [], "http://127.0.0.1:7860")
    assert "&#x27;{&quot;text&quot;: &quot;it&#x27;&quot;&#x27;&quot;&#x27;s" in shown


def test_progress_says_how_long_it_still_takes():
    # 2 of 10 in 4 s: 8 remain at 2 s each.
    assert "2 of 10 texts, about 16 s left" in render.progress(2, 10, 4.0)
    assert "left" not in render.progress(10, 10, 4.0)


def test_the_preview_shows_the_error_of_a_text_in_its_row():
    rows = [("ok", [rewrite("ok", "fine", Outcome.REWRITTEN)]), ("<b>", "The text is too long.")]
    shown = render.preview(rows, ["One"], n_all=30)
    assert "The first 2 of 30" in shown
    assert "&lt;b&gt;" in shown and "The text is too long." in shown


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (3.26, "3.3 s"), (42.4, "42 s"), (200, "3 min 20 s")]
)
def test_durations_are_for_readers(seconds, words):
    assert render.duration(seconds) == words
