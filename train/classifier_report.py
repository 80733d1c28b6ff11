"""Measure the risk heads on held-out texts and write their model card."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from srllm.records import CmdRecord
from srllm.risk.linear import HEADS, HeadsConfig, LinearDetector
from srllm.taxonomy import Annotation
from train.risk_data import LabelledText

METRICS_FILE, CARD_FILE = "metrics.json", "README.md"
_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "cmd": ("cmd", "cmd_rewrite"),
    "toxigen": ("toxigen",),
    "paradetox": ("paradetox",),
}
_BENIGN_SETS = ("groups", "hatecheck", "topical", "wikisplit", "bold", "t0")


def expected_calibration_error(
    labels: npt.NDArray[np.int64], probability: npt.NDArray[np.float64], n_bins: int = 10
) -> float:
    """Mean gap between probability and share of positives over equal-width bins; lower is better.

    Source: Naeini et al. 2015, binary form on P(positive).
    """
    bins = np.minimum((probability * n_bins).astype(int), n_bins - 1)
    gaps = [
        (bins == b).mean() * abs(probability[bins == b].mean() - labels[bins == b].mean())
        for b in range(n_bins)
        if (bins == b).any()
    ]
    return float(sum(gaps))


def evaluate_heads(
    detector: LinearDetector, rows: Sequence[LabelledText], cmd_test: Sequence[CmdRecord]
) -> dict[str, object]:
    """Figures on the test splits, from the detector as it was written to disk."""
    from train.classifier import N_DOCUMENT_SENTENCES, build_documents, phrase_f

    test = [row for row in rows if row.split == "test"]
    logits = np.stack([detector.head_logits(row.text) for row in test])
    probability = 1.0 / (1.0 + np.exp(-logits))
    thresholds = detector.config.thresholds
    heads: dict[str, object] = {}
    for index, head in enumerate(HEADS):
        by_family: dict[str, object] = {}
        for family, sources in _FAMILIES.items():
            chosen = [i for i, r in enumerate(test) if r.source in sources and head in r.labels]
            labels = np.array([int(test[i].labels[head]) for i in chosen], dtype=np.int64)
            if len(set(labels.tolist())) == 2:
                figures = _figures(labels, probability[chosen, index], thresholds[head])
                by_family[family] = figures
        heads[head] = by_family
    called = probability[:, 0] >= thresholds["unsafe"]
    rates = {
        source: _rate(
            called, [r.source == source and not r.labels.get("unsafe", True) for r in test]
        )
        for source in ("cmd", "cmd_rewrite", *_BENIGN_SETS)
    }
    marked = [r for r in cmd_test if r.annotation is Annotation.UNSAFE and r.phrases]
    texts = [row.text for row in test[:1000]]
    started = time.process_time()
    detector.analyze(texts)
    elapsed = time.process_time() - started
    documents = {
        f"{n_unsafe}_unsafe_of_{N_DOCUMENT_SENTENCES}": round(
            float(
                np.mean(
                    [
                        report.is_unsafe
                        for report in detector.analyze(
                            build_documents(rows, "test", n_unsafe=n_unsafe)
                        )
                    ]
                )
            ),
            3,
        )
        for n_unsafe in (0, 1)
    }
    return {
        "detector": detector.name,
        "heads": heads,
        "false_positive_rate": rates,
        "long_texts_called_unsafe": documents,
        "phrase_f1_cmd_test": round(phrase_f(detector, marked), 3),
        "cpu_seconds_for_1000_texts": round(elapsed * 1000 / len(texts), 2),
    }


def _is_benign(row: LabelledText) -> bool:
    return row.labels.get("unsafe") is False


def _rate(called: npt.NDArray[np.bool_], chosen: Sequence[bool]) -> dict[str, float | int]:
    members = called[np.array(chosen)]
    return {"rate": round(float(members.mean()), 3), "n": len(members)}


def _figures(
    labels: npt.NDArray[np.int64], probability: npt.NDArray[np.float64], threshold: float
) -> dict[str, float | int]:
    from sklearn.metrics import brier_score_loss, f1_score, recall_score, roc_auc_score  # type: ignore[import-untyped]  # no stubs

    called = (probability >= threshold).astype(np.int64)
    return {
        "n": len(labels),
        "positive": int(labels.sum()),
        "auroc": round(float(roc_auc_score(labels, probability)), 3),
        "macro_f1": round(float(f1_score(labels, called, average="macro")), 3),
        "recall": round(float(recall_score(labels, called)), 3),
        "ece": round(expected_calibration_error(labels, probability), 3),
        "brier": round(float(brier_score_loss(labels, probability)), 3),
    }


_CARD = """# Embedded risk heads

Linear heads (logistic regression on TF-IDF of word 1-2-grams and character 2-5-grams) that score a
text for unsafe, bias, toxicity, harm and sentiment and show which words carry the score. They need
numpy alone. Made by `python -m train classifier`; figures by the same command, on held-out texts.

## What they read

Texts are lower-cased, folded to plain letters and freed of invisible characters; "f.u.c.k",
"sh1t" and look-alike letters are undone. Names of groups (women, Muslims, nurses ...) are read as
one word each for nouns and adjectives, so that no group's name weighs more than another's.
Texts longer than {window_words} words and marks are scored in windows of whole sentences; the score
is the highest window's logit less {window_penalty} ln(windows).

## Data

| source | train | dev | test | labels used |
|---|---|---|---|---|
{data_rows}

CMD and its benign rewrites teach all heads (weights 9 and 6), templated CMD records too (weight 2);
ToxiGen v2 "hate" teaches unsafe and bias; ParaDetox teaches unsafe and toxicity (inputs against
first references, in the split of the rewriting models); the rest are benign. ToxiGen hate and
ParaDetox inputs count as negative sentiment and ordinary sentences as not negative: a weak label.
RedditBias' manual labels were tried and left out: false alarms on benign sentences that name a group
rose from 0 to 6%. No test text occurs in train (same words). Sources and licences:
`train/sources.py`.

## Figures on the test splits

Calibration is Platt's, on the dev splits of CMD, ToxiGen, ParaDetox and ordinary sentences, each
counted alike; a set whose share of unsafe texts differs from that mixture's has a higher error (ECE).

| head | set | n (positive) | AUROC | macro F1 | recall | ECE | Brier |
|---|---|---|---|---|---|---|---|
{head_rows}

The threshold for unsafe, {threshold}, was chosen on dev for at most 5% of benign CMD texts
and rewrites.
Benign test texts called unsafe:

| set | share | n |
|---|---|---|
{rate_rows}

"groups" are benign sentences that name a group, in wordings that are not in train.

Texts of twelve sentences called unsafe: {clean} without, {dirty} with one unsafe sentence.
Characters of flagged phrases against those marked by hand (CMD test, texts found unsafe): F1
{phrases}.

## Limits

A bag of n-grams has no understanding: implied stereotypes in new words are missed, irony is missed,
and a quotation of an insult counts as the insult. English only. CMD's labels are judgements of few
people. The heads steer rewriting and show where to look; they are no moderation system.
"""  # noqa: E501  # lines of Markdown with fields


def write_card(
    folder: Path,
    metrics: Mapping[str, object],
    config: HeadsConfig,
    rows: Sequence[LabelledText],
) -> None:
    """The model card beside the weights."""
    counts = Counter((row.source, row.split) for row in rows)
    labels_of: dict[str, set[str]] = {}
    for row in rows:
        labels_of.setdefault(row.source, set()).update(row.labels)
    data_rows = [
        f"| {source} | {counts[source, 'train']} | {counts[source, 'dev']} | "
        f"{counts[source, 'test']} | {', '.join(h for h in HEADS if h in labels)} |"
        for source, labels in labels_of.items()
    ]
    heads, rates, documents = (
        metrics[key] for key in ("heads", "false_positive_rate", "long_texts_called_unsafe")
    )
    assert isinstance(heads, dict) and isinstance(rates, dict) and isinstance(documents, dict)
    head_rows = [
        f"| {head} | {family} | {f['n']} ({f['positive']}) | {f['auroc']} | {f['macro_f1']} | "
        f"{f['recall']} | {f['ece']} | {f['brier']} |"
        for head, by_family in heads.items()
        for family, f in by_family.items()
    ]
    clean, dirty = documents.values()
    card = _CARD.format(
        window_words=config.window_words,
        window_penalty=config.window_penalty,
        data_rows="\n".join(data_rows),
        head_rows="\n".join(head_rows),
        threshold=config.thresholds["unsafe"],
        rate_rows="\n".join(
            f"| {name} | {r['rate']:.1%} | {r['n']} |" for name, r in rates.items()
        ),
        clean=f"{clean:.1%}",
        dirty=f"{dirty:.1%}",
        phrases=metrics["phrase_f1_cmd_test"],
    )
    (folder / CARD_FILE).write_text(card, encoding="utf-8")
