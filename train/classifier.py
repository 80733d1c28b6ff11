"""Train the embedded risk heads: linear, calibrated, exported as plain arrays."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from srllm.records import CmdRecord
from srllm.risk.features import CHAR_NGRAMS, WORD_NGRAMS, Vocabulary
from srllm.risk.linear import (
    CONFIG_FILE,
    EMBEDDED_FOLDER,
    HEADS,
    VOCABULARY_FILE,
    WEIGHTS_FILE,
    HeadsConfig,
    LinearDetector,
)
from srllm.risk.tokens import normalise
from train.classifier_report import METRICS_FILE, evaluate_heads, write_card
from train.cmd_data import DATA_FOLDER, load_splits
from train.risk_data import LabelledText, load_labelled
from train.sources import default_data_root

_LOG = logging.getLogger(__name__)
VERSION = "2"
# Families that calibrate a head count alike, whatever their size.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "cmd": ("cmd", "cmd_rewrite"),
    "toxigen": ("toxigen",),
    "paradetox": ("paradetox",),
    "plain": ("topical", "wikisplit", "t0", "bold"),
}


@dataclass(frozen=True, slots=True)
class ClassifierRecipe:
    n_words: int = 25_000  # word n-grams kept, by chi-squared with "unsafe"
    n_chars: int = 35_000  # character n-grams kept
    c: float = 2.0  # inverse strength of the L2 penalty
    max_false_positive_rate: float = 0.05  # of benign CMD dev texts and rewrites
    window_words: int = 30
    max_document_rate: float = 0.10  # of benign twelve-sentence documents called unsafe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train the embedded risk heads. Example: python -m train classifier --data-root ../data"
    )
    parser.add_argument("--data-root", type=Path, default=default_data_root())
    parser.add_argument("--cmd", type=Path, default=DATA_FOLDER, help="folder of the CMD splits")
    parser.add_argument("--output", type=Path, default=EMBEDDED_FOLDER)
    for name in ("n_words", "n_chars", "c"):
        default = getattr(ClassifierRecipe(), name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)


def run(args: argparse.Namespace) -> int:
    recipe = ClassifierRecipe(n_words=args.n_words, n_chars=args.n_chars, c=args.c)
    rows = load_labelled(args.data_root, args.cmd)
    _LOG.info("%d labelled texts", len(rows))
    dev_records = load_splits(args.cmd)["dev"]
    trained = train_heads(rows, dev_records, recipe)
    save_heads(trained, args.output)
    detector = LinearDetector.load(args.output)
    metrics = evaluate_heads(detector, rows, load_splits(args.cmd)["test"])
    text = json.dumps(metrics, indent=1) + "\n"
    (args.output / METRICS_FILE).write_text(text, encoding="utf-8")
    write_card(args.output, metrics, trained.config, rows)
    print(text)
    return 0


@dataclass(frozen=True, slots=True)
class TrainedHeads:
    vocabulary: Vocabulary
    weights: npt.NDArray[np.float32]  # (feature, head)
    intercepts: npt.NDArray[np.float32]
    config: HeadsConfig

    def detector(self) -> LinearDetector:
        return LinearDetector(self.vocabulary, self.weights, self.intercepts, self.config)


def train_heads(
    rows: Sequence[LabelledText], dev_records: Sequence[CmdRecord], recipe: ClassifierRecipe
) -> TrainedHeads:
    """Fit and calibrate every head, then choose thresholds, window penalty and phrase cost."""
    from scipy.sparse import hstack  # type: ignore[import-untyped]  # no stubs

    forms = [normalise(row.text) for row in rows]
    is_train = np.array([row.split == "train" for row in rows])
    word, char = (
        _fit_features(kind, forms, rows, is_train, n_kept)
        for kind, n_kept in (("word", recipe.n_words), ("char_wb", recipe.n_chars))
    )
    _LOG.info("%d word and %d character n-grams", len(word.names), len(char.names))
    matrix = hstack([word.matrix, char.matrix]).tocsr()
    vocabulary = Vocabulary(word.names, char.names, np.concatenate([word.idf, char.idf]))
    weights = np.zeros((matrix.shape[1], len(HEADS)), dtype=np.float32)
    intercepts = np.zeros(len(HEADS), dtype=np.float32)
    thresholds: dict[str, float] = {}
    for index, head in enumerate(HEADS):
        slope, offset, logits = _fit_head(head, matrix, rows, is_train, recipe)
        weights[:, index], intercepts[index] = slope, offset
        thresholds[head] = _choose_threshold(head, rows, logits, recipe)
        _LOG.info("head %s: threshold %.3f", head, thresholds[head])
    # What is stored is float16: choose the rest with the rounded weights.
    rounded = weights.astype(np.float16).astype(np.float32)
    config = HeadsConfig(
        version=VERSION,
        thresholds=thresholds,
        window_words=recipe.window_words,
        window_penalty=0.0,
        phrase_cost=0.0,
        min_phrase_weight=0.1,
    )
    trained = TrainedHeads(vocabulary, rounded, intercepts, config)
    trained = replace(trained, config=_choose_penalty(trained, rows, recipe))
    return replace(trained, config=_choose_phrase_cost(trained, dev_records))


@dataclass(frozen=True, slots=True)
class _Features:
    names: tuple[str, ...]
    idf: npt.NDArray[np.float32]
    matrix: Any  # Any: a scipy sparse matrix (row, n-gram), which has no type stubs


def _fit_features(
    kind: str,
    forms: Sequence[str],
    rows: Sequence[LabelledText],
    is_train: npt.NDArray[np.bool_],
    n_kept: int,
) -> _Features:
    """TF-IDF of the n-grams that tell unsafe from safe best; chosen and weighed on train alone."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer  # type: ignore[import-untyped]  # no stubs
    from sklearn.feature_selection import chi2  # type: ignore[import-untyped]  # no stubs

    options: dict[str, Any] = {"analyzer": kind, "lowercase": False}  # Any: keyword arguments
    if kind == "word":
        options |= {"ngram_range": WORD_NGRAMS, "tokenizer": str.split, "token_pattern": None}
    else:
        options |= {"ngram_range": CHAR_NGRAMS}
    counter = CountVectorizer(dtype=np.float32, **options)
    counts = counter.fit_transform(forms)  # once for all rows: the slow step
    presence = (counts[is_train] > 0).astype(np.float32)
    train_rows = [row for row, chosen in zip(rows, is_train, strict=True) if chosen]
    unsafe = _labels(train_rows, "unsafe")
    is_cmd = np.array([row.source in FAMILIES["cmd"] for row in train_rows])
    # CMD is small: without a voice of its own its n-grams would all lose against ParaDetox's.
    relevance = np.zeros(counts.shape[1])
    for chosen, factor in ((unsafe >= 0, 1.0), ((unsafe >= 0) & is_cmd, 3.0)):
        if len(set(unsafe[chosen])) > 1:
            found = np.nan_to_num(chi2(presence[chosen], unsafe[chosen])[0])
            relevance = np.maximum(relevance, factor * found)
    n_texts = np.asarray(presence.sum(axis=0)).ravel()
    relevance[n_texts < (2 if kind == "word" else 4)] = -1.0
    best = np.argsort(-relevance, kind="stable")[:n_kept]
    kept = np.sort(best[relevance[best] >= 0.0])
    weigher = TfidfTransformer(sublinear_tf=True).fit(counts[is_train][:, kept])
    return _Features(
        names=tuple(counter.get_feature_names_out()[kept].tolist()),
        idf=weigher.idf_.astype(np.float32),
        matrix=weigher.transform(counts[:, kept]),
    )


def _labels(rows: Sequence[LabelledText], head: str) -> npt.NDArray[np.int64]:
    """1, 0 or -1 where the source does not say."""
    values = {True: 1, False: 0, None: -1}
    return np.array([values[row.labels.get(head)] for row in rows], dtype=np.int64)


def family_weights(
    rows: Sequence[LabelledText], chosen: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Weights under which the chosen rows of every family add up to one; 0 for the others."""
    weights = np.zeros(len(rows))
    for sources in FAMILIES.values():
        members = chosen & np.array([row.source in sources for row in rows])
        if members.any():
            weights[members] = 1.0 / members.sum()
    return weights


def _fit_head(
    head: str,
    matrix: Any,  # Any: a scipy sparse matrix, which has no type stubs
    rows: Sequence[LabelledText],
    is_train: npt.NDArray[np.bool_],
    recipe: ClassifierRecipe,
) -> tuple[npt.NDArray[np.float64], float, npt.NDArray[np.float64]]:
    """Weights and intercept with Platt's calibration folded in, and the logits of all rows."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # no stubs

    labels = _labels(rows, head)
    sample_weights = np.array([row.weight for row in rows])
    fitted = is_train & (labels >= 0)
    model = LogisticRegression(C=recipe.c, solver="liblinear", random_state=0)
    model.fit(matrix[fitted], labels[fitted], sample_weight=sample_weights[fitted])
    raw = np.asarray(model.decision_function(matrix), dtype=np.float64)
    is_dev = np.array([row.split == "dev" for row in rows]) & (labels >= 0)
    balance = family_weights(rows, is_dev)
    used = balance > 0
    platt = LogisticRegression(C=1e6, solver="lbfgs")
    platt.fit(raw[used, None], labels[used], sample_weight=balance[used] * used.sum())
    slope, offset = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    if slope <= 0.0:
        raise ValueError(f"head {head!r} ranks its dev texts backwards (slope {slope:.3f})")
    return model.coef_[0] * slope, float(model.intercept_[0]) * slope + offset, raw * slope + offset


def _choose_threshold(
    head: str,
    rows: Sequence[LabelledText],
    logits: npt.NDArray[np.float64],
    recipe: ClassifierRecipe,
) -> float:
    """On dev: the best F1, all families alike; for "unsafe" within the false positive rate."""
    labels = _labels(rows, head)
    is_dev = np.array([row.split == "dev" for row in rows]) & (labels >= 0)
    balance = family_weights(rows, is_dev)
    probability = 1.0 / (1.0 + np.exp(-logits))
    is_cmd = np.array([row.source in FAMILIES["cmd"] for row in rows])
    benign_cmd = probability[is_dev & is_cmd & (labels == 0)]

    def f1(threshold: float) -> float:
        called = probability >= threshold
        hit = balance[called & (labels == 1)].sum()
        wrong = balance[called & (labels == 0)].sum() + balance[~called & (labels == 1)].sum()
        return float(2 * hit / (2 * hit + wrong)) if hit else 0.0

    candidates = [float(value) for value in np.arange(0.05, 0.951, 0.005)]
    if head == "unsafe":
        allowed = recipe.max_false_positive_rate
        candidates = [t for t in candidates if (benign_cmd >= t).mean() <= allowed] or [0.95]
    scores = [f1(candidate) for candidate in candidates]
    return round(candidates[scores.index(max(scores))], 3)


N_DOCUMENT_SENTENCES = 12


def build_documents(
    rows: Sequence[LabelledText], split: str, *, n_unsafe: int, n_documents: int = 200
) -> list[str]:
    """Texts of twelve benign sentences, `n_unsafe` of them replaced by unsafe CMD texts."""
    chosen = [row for row in rows if row.split == split]
    benign = [r.text for r in chosen if r.source in ("topical", "cmd") and _is(r, False)]
    unsafe = [r.text for r in chosen if r.source == "cmd" and _is(r, True)]
    rng = np.random.default_rng(0)
    documents: list[str] = []
    for _ in range(n_documents):
        sentences = [benign[i] for i in rng.integers(len(benign), size=N_DOCUMENT_SENTENCES)]
        for place in rng.choice(N_DOCUMENT_SENTENCES, size=n_unsafe, replace=False):
            sentences[place] = unsafe[int(rng.integers(len(unsafe)))]
        documents.append(" ".join(s if s[-1] in ".!?" else f"{s}." for s in sentences))
    return documents


def _is(row: LabelledText, unsafe: bool) -> bool:
    return row.labels.get("unsafe") is unsafe


def _choose_penalty(
    trained: TrainedHeads, rows: Sequence[LabelledText], recipe: ClassifierRecipe
) -> HeadsConfig:
    """The smallest penalty with few enough false alarms on long benign texts."""
    documents = build_documents(rows, "dev", n_unsafe=0)
    config = trained.config
    for penalty in np.arange(0.0, 1.01, 0.05):
        config = replace(trained.config, window_penalty=round(float(penalty), 2))
        reports = replace(trained, config=config).detector().analyze(documents)
        if np.mean([report.is_unsafe for report in reports]) <= recipe.max_document_rate:
            break
    return config


def _choose_phrase_cost(trained: TrainedHeads, dev_records: Sequence[CmdRecord]) -> HeadsConfig:
    """The cost whose phrases agree best with the marked ones.

    F0.5 over characters: what is forbidden to a second pass should be what is wrong, not all of it.
    """
    marked = [record for record in dev_records if record.phrases]

    def score(config: HeadsConfig) -> float:
        return phrase_f(replace(trained, config=config).detector(), marked, beta=0.5)

    candidates = [
        replace(trained.config, phrase_cost=cost, min_phrase_weight=weight)
        for cost in (0.02, 0.04, 0.06, 0.09, 0.13)
        for weight in (0.08, 0.15)
    ]
    return max(candidates, key=score)


def phrase_f(detector: LinearDetector, records: Sequence[CmdRecord], *, beta: float = 1.0) -> float:
    """F over the characters of marked phrases; texts that are not found unsafe are left out."""
    n_both = n_found = n_marked = 0
    for record, report in zip(
        records, detector.analyze([record.original for record in records]), strict=True
    ):
        if not report.is_unsafe:
            continue
        found = {i for span in report.spans for i in range(span.start, span.end)}
        gold: set[int] = set()
        for phrase in record.phrases:
            start = record.original.index(phrase)
            gold |= set(range(start, start + len(phrase)))
        n_both += len(found & gold)
        n_found += len(found)
        n_marked += len(gold)
    weighed = n_found + beta**2 * n_marked
    return (1.0 + beta**2) * n_both / weighed if n_both else 0.0


def save_heads(trained: TrainedHeads, folder: Path) -> None:
    """Write weights, vocabulary and configuration; nothing is pickled."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, npt.NDArray[Any]] = {  # Any: two floating types
        "weights": trained.weights.astype(np.float16),
        "intercepts": trained.intercepts.astype(np.float32),
        "idf": trained.vocabulary.idf.astype(np.float32),
    }
    (folder / WEIGHTS_FILE).write_bytes(save(arrays))  # save_file would hide it from other users
    ngrams = {"words": trained.vocabulary.words, "chars": trained.vocabulary.chars}
    text = json.dumps(ngrams, ensure_ascii=False, separators=(",", ":"))
    (folder / VOCABULARY_FILE).write_text(text + "\n", encoding="utf-8")
    config = trained.config
    row = {
        "version": config.version,
        "heads": list(HEADS),
        "thresholds": dict(config.thresholds),
        "window_words": config.window_words,
        "window_penalty": config.window_penalty,
        "phrase_cost": config.phrase_cost,
        "min_phrase_weight": config.min_phrase_weight,
    }
    (folder / CONFIG_FILE).write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
