import re
from collections import Counter

import pytest

from srllm.records import TARGETING_SPECIFIC, CmdRecord
from srllm.taxonomy import Annotation, Bias
from train.templates import GROUPS, RESPECTFUL_TERM, generate_records
from train.templates.claims import TOPICS, claims_by_kind
from train.templates.generate import unmark
from train.templates.groups import KINDS
from train.word_lists import INSULT_PATTERN, INSULTS, PROFANITY, PROFANITY_PATTERN

N = 4000


@pytest.fixture(scope="module")
def records() -> list[CmdRecord]:
    return generate_records(seed=11, n=N)


def test_every_record_passes_the_checks_of_a_cmd_row(records: list[CmdRecord]) -> None:
    # from_json checks the ANNOT rule and that each phrase occurs in the text.
    assert [CmdRecord.from_json(r.to_json()) for r in records] == records


def test_benign_records_are_their_own_rewrite_and_unsafe_ones_are_not(
    records: list[CmdRecord],
) -> None:
    for record in records:
        is_benign = record.annotation is Annotation.BENIGN
        assert (record.benign == record.original) is is_benign, record
        assert bool(record.phrases) is not is_benign, record
        assert bool(record.reframe) is not is_benign, record


def test_the_same_seed_gives_the_same_records_and_a_longer_draw_extends_them(
    records: list[CmdRecord],
) -> None:
    assert generate_records(seed=11, n=300) == records[:300]


def test_another_seed_gives_other_texts(records: list[CmdRecord]) -> None:
    texts = {r.original for r in records}
    others = {r.original for r in generate_records(seed=12, n=1000)}
    assert len(others & texts) < 0.2 * len(others)


def test_nearly_every_text_is_distinct(records: list[CmdRecord]) -> None:
    assert len({r.original for r in records}) >= 0.99 * N


def test_about_a_quarter_is_benign(records: list[CmdRecord]) -> None:
    share = sum(r.annotation is Annotation.BENIGN for r in records) / N
    assert share == pytest.approx(0.25, abs=0.03)


def test_no_slot_or_mark_is_left_in_a_text(records: list[CmdRecord]) -> None:
    for record in records:
        assert not re.search(r"[{}\[\]]| {2}|\s$|^\s", record.original + record.benign), record


def test_rewrites_hold_no_listed_profanity_or_insult(records: list[CmdRecord]) -> None:
    found = Counter(
        match.group().lower()
        for r in records
        for match in (PROFANITY_PATTERN.search(r.benign), INSULT_PATTERN.search(r.benign))
        if match and r.annotation is Annotation.UNSAFE
    )
    assert found == Counter()


def test_rewrites_use_the_respectful_term(records: list[CmdRecord]) -> None:
    rude = [term for term, polite in RESPECTFUL_TERM.items() if term not in polite]
    pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, rude)) + r")\b", re.IGNORECASE)
    group_texts = [r.benign for r in records if r.target]
    found = [text for text in group_texts if pattern.search(text)]
    assert found == []


def test_biased_records_name_their_target(records: list[CmdRecord]) -> None:
    biased = [r for r in records if r.bias is Bias.YES]
    assert biased and all(r.target and r.targeting == TARGETING_SPECIFIC for r in biased)


def test_articles_fit_the_word_that_follows(records: list[CmdRecord]) -> None:
    wrong = re.compile(r"\b(?:a [aeio]\w+|an [b-dfgj-np-tv-z]\w+)", re.IGNORECASE)
    for record in records:
        for text in (record.original, record.benign):
            found = wrong.search(text)
            assert not found or found.group().lower() in {"an lgbtq"}, text


def test_every_kind_of_group_has_claims_and_groups() -> None:
    by_kind = claims_by_kind()
    assert set(by_kind) == KINDS == {g.kind for g in GROUPS}
    assert min(map(len, by_kind.values())) >= 10


def test_claims_mark_a_phrase_and_their_fair_side_marks_none() -> None:
    for topic in TOPICS:
        for claim in topic.claims:
            assert unmark(claim.unsafe)[1], claim
            assert "[" not in claim.benign, claim


def test_unmark_returns_the_text_and_its_phrases() -> None:
    assert unmark("[Typical] men, they [can't drive].") == (
        "Typical men, they can't drive.",
        ("Typical", "can't drive"),
    )


def test_a_negative_number_of_records_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        generate_records(seed=1, n=-1)


@pytest.mark.parametrize("word", PROFANITY)
def test_the_pattern_finds_every_listed_profanity(word: str) -> None:
    assert PROFANITY_PATTERN.search(f"What {word.upper()}, he said.")


@pytest.mark.parametrize("word", INSULTS)
def test_the_pattern_finds_every_listed_insult(word: str) -> None:
    assert INSULT_PATTERN.search(f"What {word}, he said.")


@pytest.mark.parametrize("text", ["f**k this", "a sh!t show", "you f*cking clown", "A$$ of mine"])
def test_masked_spellings_are_found(text: str) -> None:
    assert PROFANITY_PATTERN.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "The class assessed the bass player in Essex.",
        "Fukushima and Scunthorpe are places.",
        "The cocktail party was in the peacock room.",
        "A shiitake dish, a Mormon choir and a foolproof trashcan.",
    ],
)
def test_harmless_words_are_not_found(text: str) -> None:
    assert not PROFANITY_PATTERN.search(text)
    assert not INSULT_PATTERN.search(text)
