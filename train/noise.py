"""Clean sentences made rude, so that a model can learn the way back."""

import random
import re

from train.lexicon import (
    INSULT_ADJECTIVES,
    INSULT_NOUNS,
    INSULT_PLURALS,
    INTENSIFIERS,
    PREFIXES,
    SUBSTITUTES,
    SUFFIXES,
)

_DETERMINERS = frozenset(
    [
        "the",
        "a",
        "an",
        "this",
        "that",
        "these",
        "those",
        "his",
        "her",
        "my",
        "your",
        "their",
        "our",
        "some",
        "such",
    ]
)
_WORD = re.compile(r"^([\w']+)(\W*)$")
_ENDING = re.compile(r"^(.*?)([.!?]*)$", re.DOTALL)


def add_noise(sentence: str, rng: random.Random, n_edits: int | None = None) -> str:
    """The sentence with one to three rude edits: a word replaced or inserted, a start, an end."""
    words = sentence.split(" ")
    prefix = suffix = ""
    for _ in range(n_edits or rng.choices((1, 2, 3), (0.5, 0.35, 0.15))[0]):
        kind = rng.random()
        if kind < 0.34 and _substitute(words, rng):
            continue
        if kind < 0.62 and _insert_after_determiner(words, rng):
            continue
        if kind < 0.72:
            words.insert(rng.randrange(1, len(words)) if len(words) > 1 else 0, _intensifier(rng))
        elif kind < 0.86 and not prefix:
            prefix = _fill(rng.choice(PREFIXES), rng)
        elif not suffix:
            suffix = _fill(rng.choice(SUFFIXES), rng)
    noised = " ".join(words)
    if suffix:
        noised = _append(noised, suffix, rng)
    if prefix:
        noised = _prepend(noised, prefix, rng)
    if sentence[:1].islower() and rng.random() < 0.8:
        noised = noised[:1].lower() + noised[1:]
    return noised


def _intensifier(rng: random.Random) -> str:
    return rng.choice(INTENSIFIERS)


def _article_for(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


def _fill(pattern: str, rng: random.Random) -> str:
    return (
        pattern.replace("{S}", rng.choice(INSULT_NOUNS))
        .replace("{P}", rng.choice(INSULT_PLURALS))
        .replace("{A}", rng.choice(INSULT_ADJECTIVES))
    )


def _fix_article(words: list[str], index: int, following: str) -> None:
    if index >= 0 and words[index].lower() in ("a", "an"):
        article = _article_for(following)
        words[index] = article.capitalize() if words[index][:1].isupper() else article


def _substitute(words: list[str], rng: random.Random) -> bool:
    """Replace one word by a ruder one; False where no word has a substitute."""
    places = [i for i, word in enumerate(words) if word.lower().strip(",.!?") in SUBSTITUTES]
    if not places:
        return False
    index = rng.choice(places)
    match = _WORD.match(words[index])
    if match is None:
        return False
    rude = rng.choice(SUBSTITUTES[words[index].lower().strip(",.!?")])
    if words[index][:1].isupper():
        rude = rude[:1].upper() + rude[1:]
    words[index] = rude + match.group(2)
    _fix_article(words, index - 1, rude)
    return True


def _insert_after_determiner(words: list[str], rng: random.Random) -> bool:
    """Put an adjective or intensifier behind a determiner; False where there is none."""
    places = [
        i
        for i, word in enumerate(words[:-1])
        if word.lower() in _DETERMINERS and words[i + 1][:1].isalpha()
    ]
    if not places:
        return False
    index = rng.choice(places)
    rude = rng.choice(INSULT_ADJECTIVES) if rng.random() < 0.7 else _intensifier(rng)
    _fix_article(words, index, rude)
    words.insert(index + 1, rude)
    return True


def _append(text: str, suffix: str, rng: random.Random) -> str:
    match = _ENDING.match(text)
    assert match is not None  # the pattern matches every string
    noised = match.group(1) + suffix
    return noised.rstrip(".!") if not match.group(2) and rng.random() < 0.7 else noised


def _prepend(text: str, prefix: str, rng: random.Random) -> str:
    starts_a_sentence = prefix.rstrip().endswith((".", "!"))
    first = text.split(" ")[0]
    if not starts_a_sentence and first not in ("I", "I'm", "I've", "I'll") and rng.random() < 0.6:
        text = text[:1].lower() + text[1:]
    return prefix + text
