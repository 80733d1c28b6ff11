"""TF-IDF features of normalised tokens: word 1-2-grams and character 2-5-grams inside words.

The same numbers as scikit-learn's TfidfVectorizer (sublinear_tf, each block of unit length),
without needing it at run time; a test compares the two.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from srllm.risk.tokens import Token

WORD_NGRAMS = (1, 2)
CHAR_NGRAMS = (2, 5)
_CACHED_FORMS = 20_000


@dataclass(frozen=True, slots=True)
class Features:
    """The known features of one text, and which tokens each occurrence came from."""

    ids: npt.NDArray[np.int64]  # (feature,) each once
    values: npt.NDArray[np.float32]  # (feature,)
    # One entry an occurrence: position in `ids`, token, share of the occurrence in that token.
    occurrence_feature: npt.NDArray[np.int64]
    occurrence_token: npt.NDArray[np.int64]
    occurrence_share: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Vocabulary:
    """Known n-grams and their inverse document frequencies; word features come first."""

    words: tuple[str, ...]
    chars: tuple[str, ...]
    idf: npt.NDArray[np.float32]  # (len(words) + len(chars),)
    _word_index: Mapping[str, int] = field(init=False, repr=False)
    _char_index: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        n_words = len(self.words)
        words = {ngram: index for index, ngram in enumerate(self.words)}
        chars = {ngram: n_words + index for index, ngram in enumerate(self.chars)}
        object.__setattr__(self, "_word_index", words)
        object.__setattr__(self, "_char_index", chars)

        @functools.lru_cache(maxsize=_CACHED_FORMS)
        def known_char_ngrams(form: str) -> tuple[int, ...]:
            return tuple(chars[ngram] for ngram in char_ngrams(form) if ngram in chars)

        object.__setattr__(self, "_known_char_ngrams", known_char_ngrams)

    def features(self, tokens: Sequence[Token]) -> Features:
        known_char_ngrams = self._known_char_ngrams  # type: ignore[attr-defined]  # set above
        forms = [token.form for token in tokens]
        ids: list[int] = []
        owners: list[int] = []
        shares: list[float] = []
        for index, form in enumerate(forms):
            found = self._word_index.get(form)
            if found is not None:
                ids.append(found)
                owners.append(index)
                shares.append(1.0)
            if index + 1 < len(forms):
                found = self._word_index.get(f"{form} {forms[index + 1]}")
                if found is not None:
                    ids += (found, found)
                    owners += (index, index + 1)
                    shares += (0.5, 0.5)
            chars = known_char_ngrams(form)
            ids += chars
            owners += [index] * len(chars)
            shares += [1.0] * len(chars)
        return self._weigh(ids, owners, shares)

    def _weigh(self, ids: list[int], owners: list[int], shares: list[float]) -> Features:
        occurrence_share = np.asarray(shares, dtype=np.float32)
        unique, position = np.unique(np.asarray(ids, dtype=np.int64), return_inverse=True)
        counts = np.bincount(position, weights=occurrence_share, minlength=len(unique))
        values = ((1.0 + np.log(np.maximum(counts, 1.0))) * self.idf[unique]).astype(np.float32)
        is_word = unique < len(self.words)
        for block in (is_word, ~is_word):
            length = math.sqrt(float(np.square(values[block]).sum()))
            if length:
                values[block] /= length
        return Features(
            ids=unique,
            values=values,
            occurrence_feature=position.astype(np.int64),
            occurrence_token=np.asarray(owners, dtype=np.int64),
            occurrence_share=(occurrence_share / counts[position]).astype(np.float32),
        )


def char_ngrams(form: str) -> list[str]:
    """Character n-grams of a word with a space on each side, as scikit-learn's "char_wb"."""
    padded = f" {form} "
    shortest, longest = CHAR_NGRAMS
    ngrams: list[str] = []
    for n in range(shortest, longest + 1):
        if n >= len(padded):  # a word shorter than n counts once
            ngrams.append(padded)
            break
        ngrams += [padded[start : start + n] for start in range(len(padded) - n + 1)]
    return ngrams
