"""Phrases of another language inside an English text, by the lingua library."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from srllm.risk.attribution import FUNCTION_WORDS

if TYPE_CHECKING:
    from lingua import LanguageDetector

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_BETWEEN_WORDS = re.compile(r"[ \t]*[-,]?[ \t]*")
# A pair of words counts as foreign where the quick models and the full models both doubt English.
# Quick models on foreign pairs: below 0.002; below 0.005 on 23 of 2,706 English pairs. Full models:
# "hombres jovenes" 0.02, "habilidad natural" 0.01; "young men" 0.38.
_QUICK_LIMIT, _FULL_LIMIT = 0.005, 0.05
_ENGLISH_WORD = 0.15  # of one word at the end: "natural" 0.21, "existe" 0.12, "hombres" 0.02
_MIN_LETTERS = 7  # of a pair: shorter ones can not be told
# Loans that English dictionaries list; their words are no sign of another language.
_LOANS = frozenset(
    """
laissez faire deja vu vis-a-vis vis bona fide per se de facto ad hoc et al faux pas dente en masse
status quo pro bono vice versa la carte cul sac raison d'etre joie vivre tour force coup etat
d'etat mea culpa persona non grata quid femme fatale hors d'oeuvre par excellence carte blanche
avant garde nouveau riche grand prix habeas corpus alma mater magnum opus modus operandi vox
populi prima donna dolce vita hasta vista siesta fiesta macho salsa zeitgeist schadenfreude
kindergarten doppelganger wanderlust angst tofu kimchi sushi karma guru hijab burqa halal kosher
quinceanera latinx latine cafe resume fiance naive cliche
""".split()  # noqa: SIM905  # a table of words
)
_NAMES = {
    "SPANISH": "Spanish",
    "FRENCH": "French",
    "GERMAN": "German",
    "ITALIAN": "Italian",
    "PORTUGUESE": "Portuguese",
}


@dataclass(frozen=True, slots=True)
class ForeignPhrase:
    text: str
    language: str  # its English name, or that of the script


def find_foreign_phrases(text: str, *, known: str = "") -> tuple[ForeignPhrase, ...]:
    """Runs of two or more foreign words in an English text, in order.

    Words of `known` are never foreign, nor are capitalised ones (names) or loans; one word of
    another script is enough. A text that is not English by itself gives none, nor does one whose
    `known` text is not: there the language is not mixed but other.
    """
    words = [(found[0], found.start(), found.end()) for found in _WORD.finditer(text)]
    known_words = {_plain(word) for word in _WORD.findall(known)}
    phrases = [
        ForeignPhrase(word, script)
        for word, _, _ in words
        if (script := _other_script(word)) and _plain(word) not in known_words
    ]
    is_candidate = [
        word[0].islower() and _plain(word) not in known_words | _LOANS | FUNCTION_WORDS
        for word, _, _ in words
    ]
    runs: list[tuple[int, int]] = []
    for index in range(len(words) - 1):
        (_, start, end), (_, next_start, next_end) = words[index], words[index + 1]
        if not (is_candidate[index] and is_candidate[index + 1]):
            continue
        if not _BETWEEN_WORDS.fullmatch(text, end, next_start) or not _is_foreign(
            text[start:next_end]
        ):
            continue
        if runs and runs[-1][1] >= start:
            runs[-1] = (runs[-1][0], next_end)
        else:
            runs.append((start, next_end))
    if runs and _is_english(known or text):
        for start, end in runs:
            phrase = _without_english_edges(text[start:end])
            if phrase:
                phrases.append(ForeignPhrase(phrase, _language_of(phrase)))
    return tuple(phrases)


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.lower())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).replace("’", "'")


def _other_script(word: str) -> str | None:
    """The script of a word without Latin letters, or None."""
    for character in word:
        name = unicodedata.name(character, "")
        if character.isalpha() and not name.startswith(("LATIN", "FULLWIDTH", "MODIFIER")):
            script = name.split(" ")[0].capitalize()
            return {"Cjk": "Chinese characters"}.get(script, f"{script} script")
    return None


def _is_foreign(phrase: str) -> bool:
    from lingua import Language

    if sum(character.isalpha() for character in phrase) < _MIN_LETTERS:
        return False
    # The quick models take a tenth of a second to load, the full ones some seconds: most texts
    # never need those.
    quick = _quick_detector().compute_language_confidence(phrase, Language.ENGLISH)
    if quick >= _QUICK_LIMIT:
        return False
    return _full_detector().compute_language_confidence(phrase, Language.ENGLISH) < _FULL_LIMIT


def _without_english_edges(phrase: str) -> str:
    """Without English words at the ends, which pairs of words reach over."""
    words = phrase.split()
    while words and _is_likely_english(words[0]):
        del words[0]
    while words and _is_likely_english(words[-1]):
        del words[-1]
    return " ".join(words)


def _is_likely_english(word: str) -> bool:
    from lingua import Language

    confidence = _full_detector().compute_language_confidence(word, Language.ENGLISH)
    return confidence >= _ENGLISH_WORD


def _is_english(text: str) -> bool:
    from lingua import Language

    return bool(_quick_detector().detect_language_of(text) == Language.ENGLISH)


def _language_of(phrase: str) -> str:
    language = _full_detector().detect_language_of(phrase)
    return _NAMES.get(language.name, "another language") if language else "another language"


@functools.cache
def _quick_detector() -> LanguageDetector:
    return _build_detector(is_quick=True)


@functools.cache
def _full_detector() -> LanguageDetector:
    return _build_detector(is_quick=False)


def _build_detector(*, is_quick: bool) -> LanguageDetector:
    from lingua import Language, LanguageDetectorBuilder

    languages = [Language.ENGLISH, *(getattr(Language, name) for name in _NAMES)]
    builder = LanguageDetectorBuilder.from_languages(*languages)
    return (builder.with_low_accuracy_mode() if is_quick else builder).build()
