"""Texts as the embedded detector reads them: normalised words with their place in the original."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from srllm.risk.groups import group_kinds

_PIECE = re.compile(r"\S+")
# A word, with marks inside it that may hide letters ("f*ck", "sh!t"); or one other character.
_WORD = re.compile(r"\$?[^\W_]+(?:[*@$!#'’]+[^\W_]+)*\*?|[^\w\s]|_", re.UNICODE)
# Letters spelled one by one: "f.u.c.k", "f u c k"; three are too often an abbreviation.
_SPELLED = re.compile(r"(?<!\w)[^\W\d_](?:([.\-_* ])[^\W\d_])(?:\1[^\W\d_]){2,}(?!\w)")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_LEET = str.maketrans("@$!013457’", "asioieast'")
_LEET_INSIDE = re.compile(r"(?<=[^\W\d_])[@$!013457](?=[^\W\d_])|^\$(?=[^\W\d_])")
# Cyrillic and Greek letters that look Latin, mapped in words that also hold Latin letters.
_LOOKALIKES = str.maketrans("асеорхуіјѕкмнтвԁαορνι", "aceopxyijskmhtbdaopvi")
_LATIN = re.compile(r"[a-z]")
_NUMBER = "_n_"


@dataclass(frozen=True, slots=True)
class Token:
    """One word or mark. `form` is what the features are made of; no white space in it."""

    form: str
    word: str  # the form before group names were replaced
    start: int  # of the original text
    end: int


def tokenize(text: str) -> list[Token]:
    """The normalised words and marks of a text, in order, with their places in the original."""
    folded, offsets = _fold(text)
    tokens: list[tuple[str, int, int]] = []
    position = 0
    for spelled in _SPELLED.finditer(folded):
        tokens.extend(_words(folded, position, spelled.start()))
        letters = re.sub(r"[^\w]|_", "", spelled[0])
        tokens.append((letters, spelled.start(), spelled.end()))
        position = spelled.end()
    tokens.extend(_words(folded, position, len(folded)))
    kinds = group_kinds([word for word, _, _ in tokens])
    return [
        Token(kind or word, word, offsets[start], offsets[end - 1] + 1)
        for (word, start, end), kind in zip(tokens, kinds, strict=True)
    ]


def normalise(text: str) -> str:
    """The forms of a text's tokens, joined by one space: what the features are counted on."""
    return " ".join(token.form for token in tokenize(text))


def _fold(text: str) -> tuple[str, list[int]]:
    """Lower case without accents, control and invisible characters, and where each came from."""
    if text.isascii() and text.isprintable():
        return text.lower(), list(range(len(text)))
    characters: list[str] = []
    offsets: list[int] = []
    for index, character in enumerate(text):
        if character.isspace():
            folded = " "
        elif character < "\x7f":
            folded = character.lower() if character >= " " else ""
        else:
            folded = "".join(
                part
                for part in unicodedata.normalize("NFKD", character).lower()
                if unicodedata.category(part) not in ("Cc", "Cf", "Mn", "Cs")
            )
        for part in folded:
            characters.append(" " if part.isspace() else part)
            offsets.append(index)
    return "".join(characters), offsets


def _words(folded: str, start: int, end: int) -> list[tuple[str, int, int]]:
    return [
        (_form(found[0]), found.start(), found.end())
        for found in _WORD.finditer(folded, start, end)
    ]


def _form(word: str) -> str:
    if word.isalpha() and word.isascii():
        return _REPEATED.sub(r"\1", word)
    if word.isdigit():
        return _NUMBER
    if _LATIN.search(word):
        word = word.translate(_LOOKALIKES)
        word = _LEET_INSIDE.sub(lambda found: found[0].translate(_LEET), word)
    return _REPEATED.sub(r"\1", word.replace("’", "'"))
