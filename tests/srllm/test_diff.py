import random
import time

import pytest

from srllm.diff import DiffKind, DiffPart, share_changed, similarity, word_diff

SAME, REMOVED, ADDED = DiffKind.SAME, DiffKind.REMOVED, DiffKind.ADDED
PAIRS = [
    ("Only an idiot would fail to see it.", "Some people may fail to see it."),
    ("", "new"),
    ("old", ""),
    ("", ""),
    ("same  text\n", "same  text\n"),
    ("a  b", "a b"),
    ("don't you dare", "do not"),
    ("emoji 🙂‍🙂 \u202eabc\x00", "emoji 🙂 abc"),
    ("<script>alert(1)</script>", "&lt;script&gt;"),
]


def joined(parts, *kinds):
    return "".join(part.text for part in parts if part.kind in kinds)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_parts_join_to_both_texts(a, b):
    parts = word_diff(a, b)
    assert joined(parts, SAME, REMOVED) == a
    assert joined(parts, SAME, ADDED) == b
    assert all(part.text for part in parts)
    assert all(x.kind is not y.kind for x, y in zip(parts, parts[1:], strict=False))


def test_random_texts_join_to_both_texts():
    rng = random.Random(0)
    words = ["the", "a", "plan", ",", " ", "  ", ".", "flaw", "é", "\n"]
    for _ in range(300):
        a, b = ("".join(rng.choices(words, k=rng.randrange(30))) for _ in range(2))
        parts = word_diff(a, b)
        assert joined(parts, SAME, REMOVED) == a
        assert joined(parts, SAME, ADDED) == b


def test_a_changed_phrase_is_one_removal_and_one_addition():
    assert word_diff("He is a bad man today.", "He is a nice person today.") == (
        DiffPart(SAME, "He is a "),
        DiffPart(REMOVED, "bad man"),
        DiffPart(ADDED, "nice person"),
        DiffPart(SAME, " today."),
    )


def test_share_changed_counts_words_and_marks_of_both_texts():
    assert share_changed("one two.", "one two.") == 0.0
    assert share_changed("one two", "one   two") == 0.0
    assert share_changed("one two", "three four") == 1.0
    # Tokens: one two three | one two four; kept 2 of 3 in each: 1 - 2*2/6.
    assert share_changed("one two three", "one two four") == pytest.approx(1 / 3)
    assert share_changed("", "") == 0.0
    assert share_changed("", "x") == 1.0


def test_similarity_is_one_for_equal_zero_for_disjoint_and_symmetric():
    assert similarity("Hello  World", "hello world") == 1.0
    assert similarity("aaaa", "bbbb") == 0.0
    assert similarity("", "") == 1.0
    assert similarity("", "abc") == 0.0
    a, b = "the plan is bad", "the plan has flaws"
    assert similarity(a, b) == pytest.approx(similarity(b, a))
    assert 0.0 < similarity(a, b) < 1.0


def test_similarity_of_a_worked_example():
    # "ab" and "abc": n=1: 2*2/5, n=2: 2*1/3, n=3: 0; longer n in neither.
    assert similarity("ab", "abc") == pytest.approx((0.8 + 2 / 3 + 0.0) / 3)


def test_two_thousand_different_words_take_little_time():
    rng = random.Random(1)
    vocabulary = [f"w{i}" for i in range(300)] + ["the"] * 60
    a, b = (" ".join(rng.choices(vocabulary, k=2000)) for _ in range(2))
    started = time.process_time()
    parts = word_diff(a, b)
    assert time.process_time() - started < 3.0
    assert joined(parts, SAME, REMOVED) == a
