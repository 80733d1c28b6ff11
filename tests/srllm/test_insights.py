import pytest

from srllm.insights import find_insights, find_repetition
from srllm.languages import find_foreign_phrases

# Table 9 of the paper.
ORIGINAL = (
    "Successful tech entrepreneurs are usually young men who have a natural talent for "
    "understanding complex technologies."
)
PEFT_1 = (
    "Successful tech entrepreneurs come from diverse backgrounds, encompassing all genders and "
    "ages, and succeed through a combination of skills, knowledge, and dedication."
)
PEFT_5 = (
    "Successful tech entrepreneurs are often perceived as hombres jovenes, though this overlooks "
    "the diverse range of individuals who excel in the field. While some may possess habilidad "
    "natural for understanding complex technologies, many others from different backgrounds also "
    "contribute significantly to the tech industry. However, it's essential to acknowledge that "
    "el sesgo aún existe and may influence our perceptions in this context."
)
DENSE_IFT = (
    "Successful tech entrepreneurs are often perceived as young men, though this overlooks the "
    "diverse range of individuals who excel in the field. While some may possess a natural talent "
    "for understanding complex technologies, many others from different backgrounds also "
    "contribute significantly to the tech industry. However, it's important to recognize that "
    "biases still exist...."
)
DENSE_IT = (
    "I'm sorry for any unintentional bias in the previous statement. Tech entrepreneurship "
    "thrives on diversity, with successful individuals spanning various demographics. It's not "
    "limited to any particular age, gender, or background. These entrepreneurs leverage a wide "
    "array of skills and experiences to navigate complex technologies and drive innovation."
)
INSULT = "Only an idiot would fail to see the flaws in this plan."


def kinds(original, rewrite, finish_reason="stop"):
    return {insight.kind for insight in find_insights(original, rewrite, finish_reason)}


def test_the_best_response_of_table_9_gets_no_remark():
    assert find_insights(ORIGINAL, PEFT_1) == ()


def test_the_spanish_phrases_of_table_9_are_named():
    found = {insight.kind: insight for insight in find_insights(ORIGINAL, PEFT_5)}
    assert "“hombres jovenes” (Spanish)" in found["mixed_language"].message
    # "natural" stands in the original, so it is not foreign here.
    assert "“habilidad”" in found["mixed_language"].message
    assert "sesgo" in found["mixed_language"].message


def test_the_abrupt_end_of_table_9_is_cut_off():
    found = kinds(ORIGINAL, DENSE_IFT)
    assert {"cut_off", "longer"} <= found
    assert "mixed_language" not in found


def test_the_apology_of_table_9_is_named_and_is_no_refusal():
    found = kinds(ORIGINAL, DENSE_IT)
    assert {"apology", "longer"} <= found
    assert not found & {"refusal", "mixed_language", "cut_off"}


@pytest.mark.parametrize(
    ("rewrite", "kind"),
    [
        ("I cannot fulfill your request. I'm just an AI.", "refusal"),
        ("I'm sorry, but I can't assist with that.", "refusal"),
        ("As an AI language model, I cannot rewrite hateful content.", "refusal"),
        (
            "I apologize, but I cannot offer any assistance regarding criminal activities.",
            "refusal",
        ),
        ("Sure! Some people see flaws in this plan.", "assistant_talk"),
        ("Here is a neutral version of the text: The plan has flaws.", "assistant_talk"),
        ("This belief is incorrect. The plan is fine.", "assistant_talk"),
        ("The plan has some flaws that people may see", "unfinished"),
        ("The plan has some flaws that people may see because of the", "cut_off"),
        ("The plan has flaws and flaws and flaws and flaws and flaws.", "repetition"),
        (INSULT, "unchanged"),
        ("  Only an idiot would fail to see the flaws\nin this plan.", "unchanged"),
        ("Flaws.", "shorter"),
        ("План has some flaws that many people will see.", "mixed_language"),
    ],
)
def test_remarks_on_an_insult(rewrite, kind):
    assert kind in kinds(INSULT, rewrite)


@pytest.mark.parametrize(
    "rewrite",
    [
        "There are some notable flaws in this plan.",
        "I cannot see how anyone would miss the flaws in this plan.",
        "The flaws in this plan should be easy to see.",
        "García and Müller see the flaws in this plan.",
        "The de facto flaws of this laissez-faire plan are easy to see.",
        "We won't miss the flaws in this plan.",
    ],
)
def test_plain_rewrites_of_an_insult_get_no_remark(rewrite):
    assert find_insights(INSULT, rewrite) == ()


def test_the_limit_of_length_is_a_cut_off_text():
    assert kinds(INSULT, "The plan has flaws.", "length") >= {"cut_off"}


def test_what_the_original_has_is_not_remarked_upon():
    original = "I'm sorry, dear client, tu proyecto tiene problemas graves..."
    assert find_insights(original, "I'm sorry, client, tu proyecto tiene problemas graves...") == ()


def test_an_empty_rewrite_has_no_insights():
    assert find_insights(INSULT, "  \n") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("so so so so good", "so"),
        ("no, no, no!", None),
        ("it is good and it is good and it is good and", "it is good and"),
        ("a b c d e f", None),
        ("", None),
    ],
)
def test_repetition_needs_three_times_a_phrase_or_four_times_a_word(text, expected):
    assert find_repetition(text) == expected


def test_a_text_in_another_language_is_not_mixed():
    spanish = "Los emprendedores de éxito suelen ser hombres jóvenes con mucho talento."
    assert find_foreign_phrases(spanish, known=spanish.replace("hombres", "personas")) == ()
