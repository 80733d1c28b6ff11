"""ParaDetox, cleaned and split: rude comments beside their polite paraphrases."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train.lexicon import INSULT, PROFANITY
from train.sources import SOURCES, DataError, load_source

SPLIT_FILE = Path(__file__).with_name("paradetox_split.json")
_SPACE_BEFORE = re.compile(r"\s+([,.!?;:%)\]])")
_SPACE_IN_CONTRACTION = re.compile(r"(?<=\w) '(?=(?:t|s|m|re|ve|ll|d|all)\b)", re.IGNORECASE)
_SPACE_AFTER = re.compile(r"([(\[])\s+")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class DetoxRow:
    """One rude input with its one to three polite references."""

    toxic: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DetoxSplit:
    """Rows split by input text; no row of train is a near copy of one in test or dev."""

    train: tuple[DetoxRow, ...]
    dev: tuple[DetoxRow, ...]
    test: tuple[DetoxRow, ...]


def detokenise(text: str) -> str:
    """The text with the spaces before punctuation and inside contractions taken out."""
    text = _SPACE_AFTER.sub(r"\1", _SPACE_BEFORE.sub(r"\1", text))
    text = _SPACE_IN_CONTRACTION.sub("'", text)
    return " ".join(text.split())


def fix_case(text: str) -> str:
    """The text with sentence starts and a lone "i" in capitals."""
    text = re.sub(r"\bi\b(?!\.\w)", "I", text)
    return re.sub(r"(^|[.!?]\s+)([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)


def text_id(text: str) -> str:
    """A short stable name of an input text, for split files that hold no text."""
    normal = " ".join(text.lower().split())
    return hashlib.sha256(normal.encode()).hexdigest()[:16]


def load_rows(root: Path) -> list[DetoxRow]:
    """All rows, inputs deduplicated (references joined), in the order of the file."""
    references_by_toxic: dict[str, list[str]] = {}
    lines = load_source("paradetox", root).splitlines()[1:]
    for line in lines:
        toxic, *references = [detokenise(cell) for cell in line.split("\t")]
        found = [reference for reference in references if reference]
        if toxic and found:
            kept = references_by_toxic.setdefault(toxic, [])
            kept.extend(reference for reference in found if reference not in kept)
    return [DetoxRow(toxic, tuple(found)) for toxic, found in references_by_toxic.items()]


def load_split_ids(path: Path = SPLIT_FILE) -> dict[str, tuple[str, ...]]:
    """`text_id` of the inputs held out for "test" and "dev", drawn once at random."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return {part: tuple(content[part]) for part in ("test", "dev")}


def split_rows(rows: Sequence[DetoxRow]) -> DetoxSplit:
    """Test and dev by the committed ids, the rest for training less near copies of those."""
    ids = load_split_ids()
    row_by_id = {text_id(row.toxic): row for row in rows}
    test, dev = (
        [row_by_id[held] for held in ids[part] if held in row_by_id] for part in ("test", "dev")
    )
    missing = sum(map(len, ids.values())) - len(test) - len(dev)
    if missing:
        raise DataError(
            f"{missing} held-out ParaDetox inputs are not among the {len(rows)} rows given. "
            f"Use the file of {SOURCES['paradetox'].home}."
        )
    held_out = {*ids["test"], *ids["dev"]}
    near = _Neighbours([row.toxic for row in (*test, *dev)])
    train = [
        row for row in rows if text_id(row.toxic) not in held_out and not near.has_near(row.toxic)
    ]
    return DetoxSplit(tuple(train), tuple(dev), tuple(test))


def training_pairs(rows: Sequence[DetoxRow]) -> list[tuple[str, str]]:
    """Pairs worth learning from: the reference is clean and still says what the input says."""
    pairs: list[tuple[str, str]] = []
    for row in rows:
        words = _words(row.toxic)
        for reference in row.references:
            kept = _words(reference)
            if PROFANITY.search(reference) or not kept:
                continue
            if len(kept & words) < 0.4 * len(kept):  # another sentence altogether
                continue
            if len(words) > 8 and len(kept) < 0.35 * len(words):  # most of it dropped
                continue
            if INSULT.search(reference) and len(row.references) > 1:
                continue
            pairs.append((row.toxic, reference))
    return pairs


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


class _Neighbours:
    """Finds near copies by Jaccard similarity of word sets, through an index of words."""

    def __init__(self, texts: Sequence[str], threshold: float = 0.7) -> None:
        self._sets = [_words(text) for text in texts]
        self._threshold = threshold
        self._index: dict[str, list[int]] = {}
        for number, words in enumerate(self._sets):
            for word in words:
                self._index.setdefault(word, []).append(number)

    def has_near(self, text: str) -> bool:
        words = _words(text)
        shared: dict[int, int] = {}
        for word in words:
            for number in self._index.get(word, ()):
                shared[number] = shared.get(number, 0) + 1
        return any(
            count >= self._threshold * (len(words) + len(self._sets[number]) - count)
            for number, count in shared.items()
        )
