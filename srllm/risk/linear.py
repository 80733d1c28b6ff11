"""The embedded detector: calibrated linear heads on TF-IDF features, in numpy alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from srllm.errors import ModelUnavailableError
from srllm.records import Category, RiskReport, RiskSpan
from srllm.risk.attribution import Phrase, find_phrases
from srllm.risk.features import Features, Vocabulary
from srllm.risk.tokens import Token, tokenize
from srllm.risk.windows import split_windows
from srllm.taxonomy import Bias, Harm, Sentiment, Toxicity

EMBEDDED_FOLDER = Path(__file__).resolve().parent.parent / "embedded" / "risk"
WEIGHTS_FILE, VOCABULARY_FILE, CONFIG_FILE = "heads.safetensors", "vocabulary.json", "config.json"

# One binary, calibrated head each. The graded labels are cumulative: at least mild, at least high.
HEADS = (
    "unsafe",
    "bias",
    "toxicity",
    "toxicity_high",
    "harm",
    "harm_high",
    "negative",
    "positive",
)
_SPAN_CATEGORIES = (Category.BIAS, Category.TOXICITY, Category.HARM)
_MAX_SPANS = 8


@dataclass(frozen=True, slots=True)
class HeadsConfig:
    """Everything about the heads that is not an array; stored as JSON beside them."""

    version: str
    thresholds: Mapping[str, float]  # by head: a label holds from this probability on
    window_words: int  # tokens of one window of a long text
    window_penalty: float  # logit = max over windows - penalty * ln(windows)
    phrase_cost: float  # share of the logit above its base that a flagged word must carry
    min_phrase_weight: float  # lighter phrases are not shown, unless there is no other

    @classmethod
    def load(cls, path: Path) -> HeadsConfig:
        row = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            version=str(row["version"]),
            thresholds={head: float(row["thresholds"][head]) for head in HEADS},
            window_words=int(row["window_words"]),
            window_penalty=float(row["window_penalty"]),
            phrase_cost=float(row["phrase_cost"]),
            min_phrase_weight=float(row["min_phrase_weight"]),
        )


class LinearDetector:
    """Scores texts with linear heads; each word's share of a score is exact."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        weights: npt.NDArray[np.float32],  # (feature, head), in logits, calibration folded in
        intercepts: npt.NDArray[np.float32],  # (head,)
        config: HeadsConfig,
    ) -> None:
        if weights.shape != (len(vocabulary.idf), len(HEADS)):
            raise ValueError(f"weights {weights.shape} do not fit {len(vocabulary.idf)} features")
        self._vocabulary = vocabulary
        self._weights = weights
        self._intercepts = intercepts
        self.config = config

    @classmethod
    def load(cls, folder: Path = EMBEDDED_FOLDER) -> LinearDetector:
        """Read the heads of a folder; ModelUnavailableError where they are missing or broken."""
        try:
            arrays = load_file(folder / WEIGHTS_FILE)
            ngrams = json.loads((folder / VOCABULARY_FILE).read_text(encoding="utf-8"))
            vocabulary = Vocabulary(
                words=tuple(ngrams["words"]),
                chars=tuple(ngrams["chars"]),
                idf=arrays["idf"].astype(np.float32),
            )
            return cls(
                vocabulary,
                arrays["weights"].astype(np.float32),
                arrays["intercepts"].astype(np.float32),
                HeadsConfig.load(folder / CONFIG_FILE),
            )
        except FileNotFoundError as error:
            raise ModelUnavailableError(
                f"The risk heads are missing: no {str(error.filename or folder)!r}. Restore the "
                "folder from the repository or make it with `python -m train classifier`."
            ) from error
        except (KeyError, ValueError, TypeError) as error:
            raise ModelUnavailableError(
                f"The risk heads in {str(folder)!r} can not be read ({error}). "
                "Make them again with `python -m train classifier`."
            ) from error

    @property
    def name(self) -> str:
        return f"embedded-linear {self.config.version}"

    def analyze(self, texts: Sequence[str]) -> list[RiskReport]:
        return [self._report(text) for text in texts]

    def head_logits(self, text: str) -> npt.NDArray[np.float64]:
        """The calibrated logit of each head, in the order of HEADS: the best of the windows."""
        return self._score(tokenize(text)).logits

    def _score(self, tokens: Sequence[Token]) -> _Scored:
        windows = split_windows(tokens, self.config.window_words) or [range(0)]
        features = [self._vocabulary.features(tokens[w.start : w.stop]) for w in windows]
        logits = np.stack(
            [self._intercepts + found.values @ self._weights[found.ids] for found in features]
        ).astype(np.float64)
        discount = self.config.window_penalty * math.log(len(windows))
        return _Scored(windows, features, logits, logits.max(axis=0) - discount, discount)

    def _report(self, text: str) -> RiskReport:
        tokens = tokenize(text)
        scored = self._score(tokens)
        probability = dict(zip(HEADS, (_sigmoid(value) for value in scored.logits), strict=True))
        threshold = self.config.thresholds["unsafe"]
        is_unsafe = probability["unsafe"] >= threshold
        labels = _labels(probability, self.config.thresholds, is_unsafe)
        return RiskReport(
            detector=self.name,
            scores={
                Category.UNSAFE: probability["unsafe"],
                Category.BIAS: probability["bias"],
                Category.TOXICITY: probability["toxicity"],
                Category.HARM: probability["harm"],
                Category.NEGATIVE: probability["negative"],
            },
            threshold=threshold,
            bias=labels.bias,
            toxicity=labels.toxicity,
            harm=labels.harm,
            sentiment=labels.sentiment,
            spans=self._spans(tokens, scored, threshold) if is_unsafe else (),
        )

    def _spans(
        self, tokens: Sequence[Token], scored: _Scored, threshold: float
    ) -> tuple[RiskSpan, ...]:
        """Phrases of the windows that are unsafe by themselves."""
        limit = math.log(threshold / (1.0 - threshold)) + scored.discount
        phrases: list[tuple[Phrase, Category]] = []
        evidence = 0.0
        for window, features, logits in zip(
            scored.windows, scored.features, scored.window_logits, strict=True
        ):
            if logits[0] < limit:
                continue
            shares = self._contributions(features, len(window))
            unsafe = shares[:, HEADS.index("unsafe")]
            raised = float(logits[0] - self._intercepts[0])
            evidence += float(np.maximum(unsafe, 0.0).sum())
            cost = self.config.phrase_cost * max(raised, 1.0)
            part = tokens[window.start : window.stop]
            for phrase in find_phrases(part, unsafe.tolist(), cost=cost):
                category = _raised_most(shares[phrase.first : phrase.last + 1], logits)
                moved = Phrase(
                    phrase.first + window.start,
                    phrase.last + window.start,
                    phrase.contribution,
                )
                phrases.append((moved, category))
        spans = [
            RiskSpan(
                start=tokens[phrase.first].start,
                end=tokens[phrase.last].end,
                category=category,
                weight=min(1.0, phrase.contribution / evidence),
            )
            for phrase, category in phrases
        ]
        spans.sort(key=lambda span: -span.weight)
        kept = [s for s in spans if s.weight >= self.config.min_phrase_weight] or spans[:1]
        return tuple(sorted(kept[:_MAX_SPANS], key=lambda span: span.start))

    def _contributions(self, features: Features, n_tokens: int) -> npt.NDArray[np.float64]:
        """(token, head): what each token adds to each logit; sums to logit - intercept."""
        by_feature = features.values[:, None] * self._weights[features.ids]
        by_occurrence = by_feature[features.occurrence_feature] * features.occurrence_share[:, None]
        shares = np.zeros((n_tokens, len(HEADS)))
        np.add.at(shares, features.occurrence_token, by_occurrence)
        return shares


@dataclass(frozen=True, slots=True)
class _Scored:
    windows: list[range]
    features: list[Features]
    window_logits: npt.NDArray[np.float64]  # (window, head)
    logits: npt.NDArray[np.float64]  # (head,)
    discount: float


@dataclass(frozen=True, slots=True)
class _Labels:
    bias: Bias
    toxicity: Toxicity
    harm: Harm
    sentiment: Sentiment


def _labels(
    probability: Mapping[str, float], thresholds: Mapping[str, float], is_unsafe: bool
) -> _Labels:
    """Labels that agree with the verdict under the ANNOT rule.

    Of an unsafe text the closest of bias and toxicity is set where neither head passes its
    threshold; of a safe text neither is set.
    """

    def holds(head: str) -> bool:
        return probability[head] >= thresholds[head]

    def sureness(head: str) -> float:
        return probability[head] / thresholds[head]

    is_biased, is_toxic = holds("bias") and is_unsafe, holds("toxicity") and is_unsafe
    if is_unsafe and not (is_biased or is_toxic):
        is_biased = sureness("bias") >= sureness("toxicity")
        is_toxic = not is_biased
    toxicity = Toxicity.MILD if is_toxic else Toxicity.NO
    if is_toxic and holds("toxicity_high"):
        toxicity = Toxicity.HIGH
    harm = Harm.MEDIUM if holds("harm") and is_unsafe else Harm.LOW
    if harm is Harm.MEDIUM and holds("harm_high"):
        harm = Harm.HIGH
    sentiment = Sentiment.NEUTRAL
    if holds("negative"):
        sentiment = Sentiment.NEGATIVE
    elif holds("positive"):
        sentiment = Sentiment.POSITIVE
    return _Labels(Bias.YES if is_biased else Bias.NO, toxicity, harm, sentiment)


def _raised_most(shares: npt.NDArray[np.float64], logits: npt.NDArray[np.float64]) -> Category:
    """The category to whose logit the phrase adds most, counted by how probable it is."""

    def raised(category: Category) -> float:
        index = HEADS.index(category.value)
        return _sigmoid(float(logits[index])) * float(shares[:, index].sum())

    return max(_SPAN_CATEGORIES, key=raised)


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))
