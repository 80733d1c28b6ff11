"""The rows that the packages exchange: frozen values, parsed once at the edge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from srllm.errors import InputError
from srllm.taxonomy import Annotation, Bias, Harm, Sentiment, Toxicity, annotate

TARGETING_NONE = "None"
TARGETING_SPECIFIC = "Specific Demographics"


@dataclass(frozen=True, slots=True)
class CmdRecord:
    """One row of the Content Moderation Dataset, in the schema of the paper's appendix B.1.

    `target`, `aspect`, `register` and `reframe` are additions; empty where unknown.
    """

    id: str
    original: str
    bias: Bias
    toxicity: Toxicity
    sentiment: Sentiment
    harm: Harm
    benign: str
    annotation: Annotation
    targeting: str = TARGETING_NONE
    phrases: tuple[str, ...] = ()  # each an exact substring of `original`
    target: str = ""
    aspect: str = ""
    register: str = ""
    reframe: str = ""  # "edit": most words kept; "reframe": the claim restated; "" for benign

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> CmdRecord:  # Any: parsed JSON
        """Build from the paper's field names; refuse missing fields, bad labels, lost phrases."""
        try:
            record = cls(
                id=str(row["ID"]),
                original=_text(row, "Original_Sentence"),
                bias=Bias(row["BIAS"]),
                toxicity=Toxicity(row["TOXICITY"]),
                sentiment=Sentiment(row["SENTIMENT"]),
                harm=Harm(row["HARM"]),
                benign=_text(row, "Benign"),
                annotation=Annotation(row["Annotation"]),
                targeting=str(row.get("DEMOGRAPHIC_TARGETING", TARGETING_NONE)),
                phrases=tuple(row.get("WORDS_OR_PHRASES", ())),
                target=str(row.get("TARGET", "")),
                aspect=str(row.get("ASPECT", "")),
                register=str(row.get("REGISTER", "")),
                reframe=str(row.get("REFRAME", "")),
            )
        except KeyError as error:
            raise InputError(
                f"A CMD record has no field {error.args[0]!r}: {_head(row)}. "
                "The fields are those of the paper's appendix B.1."
            ) from error
        except ValueError as error:
            raise InputError(f"A CMD record has a bad value: {error} in {_head(row)}.") from error
        expected = annotate(record.bias, record.toxicity, record.sentiment, record.harm)
        if record.annotation is not expected:
            raise InputError(
                f"Record {record.id!r} is annotated {record.annotation.value!r}, its labels give "
                f"{expected.value!r} (the ANNOT rule). Correct the labels or the annotation."
            )
        for phrase in record.phrases:
            if not phrase or phrase not in record.original:
                raise InputError(
                    f"Record {record.id!r} marks the phrase {phrase!r}, which is not in its text."
                )
        return record

    def to_json(self) -> dict[str, object]:
        """The row with the paper's field names, in a fixed order."""
        return {
            "ID": self.id,
            "Original_Sentence": self.original,
            "BIAS": self.bias.value,
            "TOXICITY": self.toxicity.value,
            "SENTIMENT": self.sentiment.value,
            "HARM": self.harm.value,
            "DEMOGRAPHIC_TARGETING": self.targeting,
            "TARGET": self.target,
            "ASPECT": self.aspect,
            "WORDS_OR_PHRASES": list(self.phrases),
            "Benign": self.benign,
            "Annotation": self.annotation.value,
            "REGISTER": self.register,
            "REFRAME": self.reframe,
        }


def _text(row: Mapping[str, Any], field: str) -> str:  # Any: parsed JSON
    value = row[field]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{field} is {value!r}, expected a text")
    return value


def _head(row: Mapping[str, Any]) -> str:  # Any: parsed JSON
    return json.dumps(dict(row), ensure_ascii=False)[:160]


class Category(str, Enum):
    """What a detector scores; values are stable keys of files and of the JSON interface."""

    UNSAFE = "unsafe"
    BIAS = "bias"
    TOXICITY = "toxicity"
    HARM = "harm"
    NEGATIVE = "negative"  # negative sentiment


@dataclass(frozen=True, slots=True)
class RiskSpan:
    """A phrase of the text that raises a risk: text[start:end], offsets in characters."""

    start: int
    end: int
    category: Category  # BIAS, TOXICITY or HARM: the category that the phrase raises most
    weight: float  # share of the evidence for "unsafe" that this phrase carries, in (0, 1]


@dataclass(frozen=True, slots=True)
class RiskReport:
    """What a detector says of one text. Probabilities in [0, 1]; higher is riskier."""

    detector: str  # name and version of the detector
    scores: Mapping[Category, float]  # nan where the detector does not score a category
    threshold: float  # the text counts as unsafe from this P(unsafe) on
    bias: Bias
    toxicity: Toxicity
    harm: Harm
    sentiment: Sentiment
    spans: tuple[RiskSpan, ...] = ()  # in order of `start`, not overlapping

    @property
    def unsafe(self) -> float:
        return self.scores[Category.UNSAFE]

    @property
    def is_unsafe(self) -> bool:
        return self.unsafe >= self.threshold


class Outcome(str, Enum):
    """How one rewrite ended; the value is the stable key, `label` is for readers."""

    REWRITTEN = "rewritten"
    GUIDED = "rewritten_guided"
    ALREADY_BENIGN = "already_benign"
    NO_SAFE_REWRITE = "no_safe_rewrite"
    REFUSED = "refused"
    CUT_OFF = "cut_off"

    @property
    def label(self) -> str:
        return _OUTCOME_LABELS[self]


_OUTCOME_LABELS = {
    Outcome.REWRITTEN: "rewritten",
    Outcome.GUIDED: "rewritten, guided",
    Outcome.ALREADY_BENIGN: "already benign, unchanged",
    Outcome.NO_SAFE_REWRITE: "no safe rewrite found",
    Outcome.REFUSED: "refused",
    Outcome.CUT_OFF: "cut off",
}


@dataclass(frozen=True, slots=True)
class Insight:
    """A remark that a reviewer would make of a rewrite (Table 9 of the paper)."""

    kind: str  # "mixed_language", "apology", "cut_off", "longer", "shorter", "unchanged", ...
    message: str  # one sentence for readers


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The rewrite of one text by one variant."""

    variant: str  # name of the variant
    original: str
    text: str
    outcome: Outcome
    before: RiskReport
    after: RiskReport
    insights: tuple[Insight, ...]
    finish_reason: str  # "stop" or "length", as the backend said
    n_prompt_tokens: int
    n_new_tokens: int
    elapsed_s: float  # from the request to the last token, queueing and guidance included
    suggestion: str | None = None  # where no safe rewrite was found: the flagged phrases removed

    def to_json(self) -> dict[str, object]:
        """A plain, stable form for files and the HTTP interface."""
        return {
            "variant": self.variant,
            "text": self.text,
            "outcome": self.outcome.value,
            "risk_before": risk_to_json(self.before),
            "risk_after": risk_to_json(self.after),
            "insights": [{"kind": i.kind, "message": i.message} for i in self.insights],
            "finish_reason": self.finish_reason,
            "n_prompt_tokens": self.n_prompt_tokens,
            "n_new_tokens": self.n_new_tokens,
            "elapsed_s": round(self.elapsed_s, 4),
            "suggestion": self.suggestion,
        }


def risk_to_json(report: RiskReport) -> dict[str, object]:
    """A plain form of a report; scores rounded to 4 digits, null where there is none."""
    return {
        "detector": report.detector,
        "scores": {
            category.value: (round(score, 4) if score == score else None)
            for category, score in report.scores.items()
        },
        "threshold": report.threshold,
        "is_unsafe": report.is_unsafe,
        "labels": {
            "BIAS": report.bias.value,
            "TOXICITY": report.toxicity.value,
            "SENTIMENT": report.sentiment.value,
            "HARM": report.harm.value,
        },
        "spans": [
            {
                "start": span.start,
                "end": span.end,
                "category": span.category.value,
                "weight": round(span.weight, 4),
            }
            for span in report.spans
        ],
    }
