"""What changed between an original and its rewrite, word by word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum

_TOKEN = re.compile(r"\s+|\w+(?:['’]\w+)*|[^\w\s]")
_MAX_MATCH_CELLS = 4_000_000  # tokens of the changed stretch, a times b; beyond: quick matching


class DiffKind(str, Enum):
    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class DiffPart:
    """A stretch of text: `same` stands in both, `removed` in the original, `added` in the rewrite.

    The `same` and `removed` parts joined are the original, `same` and `added` the rewrite.
    """

    kind: DiffKind
    text: str


def word_diff(original: str, rewrite: str) -> tuple[DiffPart, ...]:
    """The rewrite as stretches of kept, removed and added words, marks and white space.

    A blank between two changed words is taken into the change, so that readers see one changed
    phrase instead of many words. Neighbouring parts differ in kind; a removal precedes an addition.
    """
    a, b = _TOKEN.findall(original), _TOKEN.findall(rewrite)
    parts: list[DiffPart] = []
    removed, added = "", ""

    def flush() -> None:
        nonlocal removed, added
        for kind, text in ((DiffKind.REMOVED, removed), (DiffKind.ADDED, added)):
            if text:
                parts.append(DiffPart(kind, text))
        removed, added = "", ""

    blocks = list(_opcodes(a, b))
    for place, (tag, i1, i2, j1, j2) in enumerate(blocks):
        text_a, text_b = "".join(a[i1:i2]), "".join(b[j1:j2])
        is_inner = 0 < place < len(blocks) - 1
        if tag != "equal" or (text_a.isspace() and is_inner):
            removed += text_a
            added += text_b
            continue
        flush()
        parts.append(DiffPart(DiffKind.SAME, text_a))
    flush()
    return tuple(parts)


def share_changed(original: str, rewrite: str) -> float:
    """Share of words and marks that were removed or added, in [0, 1]; 0 for equal texts.

    (removed + added) / (tokens of the original + tokens of the rewrite); white space never counts.
    """
    a = [token for token in _TOKEN.findall(original) if not token.isspace()]
    b = [token for token in _TOKEN.findall(rewrite) if not token.isspace()]
    if not a and not b:
        return 0.0
    kept = sum(i2 - i1 for tag, i1, i2, _, _ in _opcodes(a, b) if tag == "equal")
    return 1.0 - 2.0 * kept / (len(a) + len(b))


def similarity(original: str, rewrite: str) -> float:
    """chrF of the two texts in [0, 1]; 1 for texts that are equal but for white space.

    The F score (precision and recall alike) of character n-grams, n = 1 to 6, averaged over the
    n that either text has, case and white space ignored. Popovic 2015 weighs recall twice
    (beta = 2) and is not symmetric; here neither text is the reference, so beta = 1.
    """
    a = "".join(original.lower().split())
    b = "".join(rewrite.lower().split())
    if a == b:
        return 1.0
    scores = [_ngram_f1(a, b, n) for n in range(1, 7) if len(a) >= n or len(b) >= n]
    return sum(scores) / len(scores)


def _ngram_f1(a: str, b: str, n: int) -> float:
    in_a = Counter(a[i : i + n] for i in range(len(a) - n + 1))
    in_b = Counter(b[i : i + n] for i in range(len(b) - n + 1))
    total = in_a.total() + in_b.total()
    return 2.0 * (in_a & in_b).total() / total if total else 0.0


_Opcode = tuple[str, int, int, int, int]


def _opcodes(a: Sequence[str], b: Sequence[str]) -> Iterator[_Opcode]:
    """difflib's opcodes, after the common ends are taken off: most rewrites change the middle."""
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    if head:
        yield "equal", 0, head, 0, head
    middle_a, middle_b = a[head : len(a) - tail], b[head : len(b) - tail]
    if len(middle_a) * len(middle_b) > _MAX_MATCH_CELLS:
        # difflib's own remedy for long texts: common words (blanks, "the") do not start a match.
        matcher = SequenceMatcher(None, middle_a, middle_b, autojunk=True)
    else:
        matcher = SequenceMatcher(_is_blank, middle_a, middle_b, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        yield tag, i1 + head, i2 + head, j1 + head, j2 + head
    if tail:
        yield "equal", len(a) - tail, len(a), len(b) - tail, len(b)


def _is_blank(token: str) -> bool:
    return token.isspace()
