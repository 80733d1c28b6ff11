"""What a reviewer notices in a rewrite, by rules: the remarks of the paper's Table 9."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from srllm.languages import find_foreign_phrases
from srllm.records import Insight

MIXED_LANGUAGE = "mixed_language"
APOLOGY = "apology"
CUT_OFF = "cut_off"
UNFINISHED = "unfinished"
LONGER = "longer"
SHORTER = "shorter"
UNCHANGED = "unchanged"
REFUSAL = "refusal"
ASSISTANT_TALK = "assistant_talk"
REPETITION = "repetition"

# Ratios of words; short texts may grow by some words without a remark.
_LONGER_RATIO, _SHORTER_RATIO, _FREE_WORDS = 1.8, 0.5, 6

_CLOSING = tuple(".!?。？！\"'”’)]")
_ELLIPSIS = re.compile(r"(\.{3,}|…)\s*[\"'”’)]*\s*$")
_DANGLING = re.compile(
    r"\b(?:a|an|the|and|or|but|of|to|in|on|for|with|by|from|as|that|which|who|is|are|was|were|be|"
    r"their|your|our|its|because|while|although|if|than)\s*[,;:]?\s*$",
    re.IGNORECASE,
)
_APOLOGY = re.compile(
    r"\b(?:I(?:'m|’m| am)|we(?:'re|’re| are)) (?:so |very |truly |deeply )?sorry\b|"
    r"\b(?:I|we) (?:sincerely |deeply )?apologi[sz]e\b|\b(?:my|our) (?:sincere )?apologies\b|"
    r"^\s*(?:sorry|apologies)\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"^\W*(?:(?:I(?:'m|’m| am) (?:so |very )?sorry|I apologi[sz]e|sorry|unfortunately)\b"
    r"[,.]?\s*(?:but\s+)?)?"
    r"(?:as an? (?:AI|artificial intelligence|(?:large )?language model|responsible)\b.*?"
    r"\b(?:cannot|can(?:'|’)?t|can not|(?:am|'m|’m) (?:not able|unable)|won(?:'|’)?t|must decline)|"
    r"I (?:cannot|can(?:'|’)t|can not|(?:am|'m) (?:not able|unable) to|won(?:'|’)t|will not|"
    r"must decline|refuse to) (?:\w+ ){0,2}?(?:to )?(?:satisfy|fulfil+|help|assist|comply|provide|"
    r"generate|create|rewrite|rephrase|offer|write|respond|answer|engage|produce|support|condone|"
    r"continue|do that|do this)|"
    r"I (?:cannot|can(?:'|’)t) (?:\w+ )?your request)\b",
    re.IGNORECASE | re.DOTALL,
)
_ASSISTANT_TALK = re.compile(
    r"\bas an AI\b|\b(?:AI |large )?language model\b|"
    r"^\W*(?:sure|certainly|of course|absolutely)[,!.:]\s|"
    r"^\W*here(?:'s|’s| is| are)\b[^.:\n]{0,60}\b(?:version|rewrite|revision|revised|rephrased|"
    r"rewritten|text|way|suggestions?)\b[^.\n]{0,40}:|"
    r"\b(?:revised|rewritten|rephrased|neutral|benign|unbiased) (?:version|text|sentence)\s*:|"
    r"\b(?:let me know if|I hope this helps|feel free to ask|is there anything else|"
    r"how can I (?:help|assist))\b|"
    r"^\W*(?:this (?:belief|statement|sentence|text|post|comment) is "
    r"(?:incorrect|false|wrong|biased|harmful|offensive|a stereotype))\b|"
    r"\bit is (?:important|essential|crucial) to (?:note|remember|acknowledge|recogni[sz]e) that\b",
    re.IGNORECASE,
)


def find_insights(original: str, rewrite: str, finish_reason: str = "stop") -> tuple[Insight, ...]:
    """Remarks on a rewrite, in a fixed order; each kind at most once.

    Args:
        original: The text that was to be rewritten. What stands in it is never remarked upon: a
            rewrite may keep an apology or a second language.
        rewrite: What came back; an empty one has no insights.
        finish_reason: "stop" or "length", as the backend said.
    """
    if not rewrite.strip():
        return ()
    found = (rule(original, rewrite, finish_reason) for rule in _RULES)
    return tuple(insight for insight in found if insight is not None)


def is_faulty(original: str, rewrite: str, finish_reason: str = "stop") -> bool:
    """True for a refusal, a text that was cut off or one that repeats itself; quick."""
    rules = (_refusal, _cut_off, _repetition)
    return any(rule(original, rewrite, finish_reason) is not None for rule in rules)


def _refusal(original: str, rewrite: str, finish_reason: str) -> Insight | None:
    if _REFUSAL.search(rewrite) and not _REFUSAL.search(original):
        return Insight(REFUSAL, "Refuses instead of rewriting.")
    return None


def _cut_off(original: str, rewrite: str, finish_reason: str) -> Insight | None:
    if finish_reason == "length":
        return Insight(CUT_OFF, "Stops because the limit of length was reached.")
    if _ELLIPSIS.search(rewrite) and not _ELLIPSIS.search(original):
        return Insight(CUT_OFF, "Ends in an ellipsis that the original has not: an unfinished end.")
    if _DANGLING.search(rewrite) and not _DANGLING.search(original):
        return Insight(CUT_OFF, "Breaks off in the middle of a sentence.")
    return None


def _unfinished(original: str, rewrite: str, finish_reason: str) -> Insight | None:
    if original.rstrip().endswith(_CLOSING) and not rewrite.rstrip().endswith((*_CLOSING, "…")):
        return Insight(UNFINISHED, "Ends without a closing mark, which the original has.")
    return None


def _mixed_language(original: str, rewrite: str, finish_reason: str) -> Insight | None:
    phrases = find_foreign_phrases(rewrite, known=original)
    if not phrases:
        return None
    quoted = ", ".join(f"“{phrase.text}” ({phrase.language})" for phrase in phrases[:3])
    return Insight(MIXED_LANGUAGE, f"Mixes in another language: {quoted}.")


def _apology(original: str, rewrite: str, finish_reason: str) -> Insight | None:
    if _APOLOGY.search(rewrite) and not re.search(r"\b(?:sorry|apolog)", original, re.IGNORECASE):
        return Insight(APOLOGY, "Apologises, which the original does not.")
    return None


def _assistant_talk(original: str, rewrite: str, finish_reason: str) -> Insight | None:
    if _ASSISTANT_TALK.search(rewrite) and not _ASSISTANT_TALK.search(original):
        message = "Talks about the text or to the writer; adds what was not said."
        return Insight(ASSISTANT_TALK, message)
    return None


def _length(original: str, rewrite: str, finish_reason: str) -> Insight | None:
    n_original, n_rewrite = len(original.split()), len(rewrite.split())
    if n_rewrite > max(n_original * _LONGER_RATIO, n_original + _FREE_WORDS):
        return Insight(LONGER, f"Much longer: {n_rewrite} words for {n_original}.")
    if n_rewrite < min(n_original * _SHORTER_RATIO, n_original - _FREE_WORDS):
        return Insight(SHORTER, f"Much shorter: {n_rewrite} words for {n_original}.")
    return None


def _unchanged(original: str, rewrite: str, finish_reason: str) -> Insight | None:
    if original.split() == rewrite.split():
        return Insight(UNCHANGED, "The text came back unchanged.")
    return None


def _repetition(original: str, rewrite: str, finish_reason: str) -> Insight | None:
    phrase = find_repetition(rewrite)
    if phrase is not None and find_repetition(original) is None:
        shown = phrase if len(phrase) <= 60 else f"{phrase[:57]}..."
        return Insight(REPETITION, f"Repeats itself: “{shown}”.")
    return None


def find_repetition(text: str) -> str | None:
    """A phrase that is said three times in a row (two words: four times), or None."""
    words = text.split()
    keys = [word.lower().strip(".,;:!?") for word in words]
    for n in range(1, len(words) // 3 + 1):
        times = 4 if n <= 2 else 3
        run = 0  # neighbours that equal the word n places before
        for index in range(n, len(keys)):
            run = run + 1 if keys[index] and keys[index] == keys[index - n] else 0
            if run >= n * (times - 1):
                start = index + 1 - n
                return " ".join(words[start : index + 1])
    return None


_Rule = Callable[[str, str, str], Insight | None]
_RULES: Sequence[_Rule] = (
    _refusal,
    _cut_off,
    _unfinished,
    _mixed_language,
    _apology,
    _assistant_talk,
    _repetition,
    _length,
    _unchanged,
)
