import itertools

import pytest

from srllm.taxonomy import (
    DEFINITIONS,
    TARGET_GROUPS,
    Annotation,
    Bias,
    Harm,
    Sentiment,
    Toxicity,
    annotate,
)


@pytest.mark.parametrize(
    ("bias", "toxicity", "sentiment", "harm", "expected"),
    [
        (Bias.NO, Toxicity.NO, Sentiment.NEGATIVE, Harm.LOW, Annotation.BENIGN),
        (Bias.YES, Toxicity.NO, Sentiment.POSITIVE, Harm.LOW, Annotation.UNSAFE),
        (Bias.NO, Toxicity.MILD, Sentiment.NEUTRAL, Harm.LOW, Annotation.UNSAFE),
        (Bias.NO, Toxicity.NO, Sentiment.NEGATIVE, Harm.MEDIUM, Annotation.UNSAFE),
        (Bias.NO, Toxicity.NO, Sentiment.NEUTRAL, Harm.HIGH, Annotation.BENIGN),
        # Appendix A, record 1001: Bias Yes, Sentiment Negative, Harm Medium -> Unsafe.
        (Bias.YES, Toxicity.MILD, Sentiment.NEGATIVE, Harm.MEDIUM, Annotation.UNSAFE),
    ],
)
def test_and_binds_before_or_in_the_annotation_rule(bias, toxicity, sentiment, harm, expected):
    assert annotate(bias, toxicity, sentiment, harm) is expected


def test_of_all_54_label_sets_seven_are_benign():
    # No bias, no toxicity: 3 sentiments x 3 harms = 9, less negative with medium or high harm = 7.
    sets = itertools.product(Bias, Toxicity, Sentiment, Harm)
    assert sum(annotate(*labels) is Annotation.BENIGN for labels in sets) == 7


def test_the_four_risks_have_definitions_whose_phrases_stand_in_their_examples():
    assert list(DEFINITIONS) == ["bias", "toxicity", "stereotyping", "harm"]
    for row in DEFINITIONS.values():
        assert row.phrases
        assert all(phrase in row.example for phrase in row.phrases)
        assert not any(phrase in row.benign for phrase in row.phrases)


def test_appendix_a_names_fifteen_attributes_of_target_groups():
    assert len(TARGET_GROUPS) == 15
    assert TARGET_GROUPS["Religion"] == ("Buddhism", "Catholic", "Christian", "Islam")
