from __future__ import annotations

import pytest

from srllm.segments import join_windows, split_windows


def words(text: str) -> int:
    return len(text.split())


LONG = (
    'He said "Stop it!" and left. Dr. Miller agreed with all of them.\n\n'
    "  Then, as the evening came, the four of us walked home; nobody spoke, nobody laughed.  "
    "It rained...  \tReally? Yes!\nEnd without mark\n"
)


@pytest.mark.parametrize("limit", [3, 5, 8, 12, 40, None])
def test_windows_and_gaps_give_the_text_again(limit):
    windows = split_windows(LONG, words, limit)
    assert "".join(window.text + window.gap for window in windows) == LONG
    assert all(window.text == window.text.strip() for window in windows)
    if limit is not None:
        assert max(words(window.text) for window in windows) <= limit


def test_a_text_that_fits_is_one_window():
    assert [w.text for w in split_windows("  One. Two. ", words, 10)] == ["One. Two."]


def test_windows_hold_whole_sentences_as_many_as_fit():
    windows = split_windows("One two. Three four. Five six seven.", words, 4)
    assert [w.text for w in windows] == ["One two. Three four.", "Five six seven."]


def test_a_title_ends_no_sentence():
    windows = split_windows("We met Dr. Miller today. He was kind.", words, 5)
    assert [w.text for w in windows] == ["We met Dr. Miller today.", "He was kind."]


def test_a_long_sentence_is_cut_after_clause_marks_then_at_spaces():
    windows = split_windows("one two three, four five; six seven eight nine ten", words, 4)
    assert [w.text for w in windows] == [
        "one two three,",
        "four five;",
        "six seven eight nine",
        "ten",
    ]


def test_a_word_that_is_too_long_stays_whole():
    windows = split_windows("abc " + "x" * 50 + " def.", len, 10)
    assert [w.text for w in windows] == ["abc", "x" * 50, "def."]


def test_blank_texts_have_no_window():
    assert split_windows(" \n ", words, 5) == []


def test_an_emptied_window_takes_its_gap_with_it():
    windows = split_windows("One two. Three four. Five six.", words, 2)
    assert join_windows(["One 2.", "", "Five 6."], windows) == "One 2. Five 6."
