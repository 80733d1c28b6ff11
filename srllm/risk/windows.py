"""Long texts in windows of whole sentences, so that one bad sentence is not drowned."""

from __future__ import annotations

from collections.abc import Sequence

from srllm.risk.tokens import Token

_ENDS = frozenset(".!?…。？！")
_LONGEST_SENTENCE = 3  # windows; a text without punctuation is cut after so many


def split_windows(tokens: Sequence[Token], window_words: int) -> list[range]:
    """Ranges of tokens: sentences joined up to `window_words` tokens, longer ones alone.

    A sentence of more than three windows is cut, as it is a text without punctuation.
    """
    windows: list[range] = []
    start = 0
    for stop in _sentence_ends(tokens, window_words * _LONGEST_SENTENCE):
        if windows and stop - windows[-1].start <= window_words:
            windows[-1] = range(windows[-1].start, stop)
        else:
            windows.append(range(start, stop))
        start = stop
    return windows


def _sentence_ends(tokens: Sequence[Token], longest: int) -> list[int]:
    ends: list[int] = []
    start = 0
    for index, token in enumerate(tokens):
        is_last = index + 1 == len(tokens)
        closes = token.form in _ENDS and (is_last or tokens[index + 1].form not in _ENDS)
        # "e.g. this" and "3.5" have no white space or only one letter before the stop.
        glued = not is_last and tokens[index + 1].start == token.end
        abbreviation = token.form == "." and index > start and len(tokens[index - 1].form) == 1
        if is_last or index + 1 - start >= longest or (closes and not glued and not abbreviation):
            ends.append(index + 1)
            start = index + 1
    return ends
