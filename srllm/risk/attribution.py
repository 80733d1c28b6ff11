"""From each word's share of a score to the phrases that a reader is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from srllm.risk.groups import is_group_name, words_of
from srllm.risk.tokens import Token

# Words that carry no judgement alone; a phrase neither starts nor ends with one, except with those
# that turn a sentence around ("not", "never", "only"), which are left out here.
FUNCTION_WORDS = frozenset(
    words_of(
        """
a an the and or but if then so as at by for from in into of on onto off to with without about
than that this these those there here it its it's is are was were be been being am do does did
have has had will would can could may might shall i i'm i've you your yours you're he him his she
her hers we us our they them their they're who whom which what when where while my me mine one
ones some any each other another such very just also too more most much many up out over under
again because how why let let's get got im
"""
    )
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens [first, last] and the sum of what they contribute."""

    first: int
    last: int
    contribution: float


def find_phrases(
    tokens: Sequence[Token], contributions: Sequence[float], *, cost: float
) -> list[Phrase]:
    """Phrases whose words contribute more than `cost` each on average, best first.

    Maximal scoring runs (Ruzzo and Tompa 1999) of contribution - cost, then trimmed: no phrase
    begins or ends with a function word, a mark or a group's name, and none consists of them.
    """
    scores = [value - cost for value in contributions]
    phrases: list[Phrase] = []
    for first, last in _maximal_runs(scores):
        while first <= last and not _is_telling(tokens[first]):
            first += 1
        while first <= last and not _is_telling(tokens[last]):
            last -= 1
        if first > last:
            continue
        total = sum(contributions[first : last + 1])
        if total > 0.0:
            phrases.append(Phrase(first, last, total))
    return sorted(phrases, key=lambda phrase: -phrase.contribution)


def _is_telling(token: Token) -> bool:
    word = token.word
    if not any(character.isalnum() for character in word):
        return False
    return word not in FUNCTION_WORDS and not is_group_name(word)


def _maximal_runs(scores: Sequence[float]) -> list[tuple[int, int]]:
    """All maximal scoring runs [first, last] with a positive sum, left to right.

    Runs are kept as (first, last, sum before, sum after); a new one swallows earlier ones as long
    as that raises the sum. Linear in practice.
    """
    runs: list[tuple[int, int, float, float]] = []
    total = 0.0
    for index, score in enumerate(scores):
        before, total = total, total + score
        if score <= 0.0:
            continue
        first, left = index, before
        while True:
            earlier = next((k for k in range(len(runs) - 1, -1, -1) if runs[k][2] < left), None)
            if earlier is None or runs[earlier][3] >= total:
                runs.append((first, index, left, total))
                break
            first, left = runs[earlier][0], runs[earlier][2]
            del runs[earlier:]
    return [(first, last) for first, last, _, _ in runs]
