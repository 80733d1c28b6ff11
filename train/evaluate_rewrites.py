"""How well weights rewrite: held-out ParaDetox, benign and unsafe CMD texts, by plain counts."""

import argparse
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from srllm.records import CmdRecord
from srllm.taxonomy import Annotation
from train.cmd_data import load_splits
from train.generate import load_for_generation, rewrite_all
from train.lexicon import INSULT, PROFANITY
from train.paradetox import DetoxRow, load_rows, split_rows
from train.run_record import RUN_FILE, load_run_record, write_json
from train.sources import default_data_root
from train.tasks import task_completion, task_prompt

_LOG = logging.getLogger(__name__)
WEIGHTS = Path("srllm/embedded/lm")
FIGURES_FILE = "figures.json"
_LABELS = re.compile(
    r"Bias: (No|Yes); Toxicity: (No|Mild|High); Sentiment: (Negative|Neutral|Positive); "
    r"Harm: (Low|Medium|High)"
)
_TASK_VARIANTS = frozenset({"safe_dense_it"})  # asked with an instruction, not with the text alone


@dataclass(frozen=True, slots=True)
class DetoxFigures:
    """Rewrites of held-out ParaDetox inputs. Shares are percent; chrF and BLEU 0-100."""

    n: int
    profanity: float  # rewrites with a word of train.lexicon.PROFANITY; lower is better
    profanity_or_insult: float  # lower is better
    chrf: float  # sentence chrF to the nearest reference, lower case, mean; higher is better
    bleu: float  # corpus BLEU with all references, lower case; higher is better
    exact_copy: float  # rewrites equal to the input but for case and final stops; lower is better
    empty: float


@dataclass(frozen=True, slots=True)
class CmdFigures:
    """Rewrites of CMD texts that were held out. Percent."""

    n_benign: int
    benign_unchanged: float  # higher is better
    n_unsafe: int
    unsafe_unchanged: float  # lower is better
    unsafe_equals_reference: float  # rewrites that equal the record's own, word for word
    unsafe_chrf: float  # to the record's own rewrite, mean
    phrase_removed: float  # marked phrases that are gone from the rewrite; higher is better


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """Answers of a model of mixed tasks to CMD texts that were held out. Percent."""

    n: int
    detect_right: float  # higher is better
    detect_unsafe_found: float  # of the unsafe texts
    detect_benign_cleared: float  # of the benign texts
    labels_right: float  # all four labels right
    labels_malformed: float  # answers that are no four labels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--variant", required=True, help="base, safe_peft_1ep, ... or copy, delete")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of weight folders")
    parser.add_argument("--data-root", type=Path, default=default_data_root())
    parser.add_argument("--part", choices=("dev", "test"), default="test")
    parser.add_argument("--limit", type=int, default=None, help="use the first N texts of each set")
    parser.add_argument("--show", type=int, default=0, help="print N rewrites")
    parser.add_argument("--into", type=Path, default=None, help="run folder whose run.json to fill")


def run(args: argparse.Namespace) -> int:
    split = split_rows(load_rows(args.data_root))
    rows = (split.test if args.part == "test" else split.dev)[: args.limit]
    records = load_splits()[args.part][: args.limit]
    texts = [row.toxic for row in rows] + [record.original for record in records]
    rewrites = _rewrite(args.variant, args.weights, texts)
    for text, rewrite in list(zip(texts, rewrites, strict=True))[-args.show or len(texts) :]:
        print(f"{text}\n   -> {rewrite}")
    detox = score_detox(rows, rewrites[: len(rows)])
    unsafe = [record.annotation is Annotation.UNSAFE for record in records]
    cmd = score_cmd(
        [record.original for record in records],
        [record.benign for record in records],
        [record.phrases for record in records],
        unsafe,
        rewrites[len(rows) :],
    )
    figures: dict[str, object] = {
        "part": args.part,
        "paradetox": asdict(detox),
        "cmd": asdict(cmd),
    }
    if args.variant in _TASK_VARIANTS:
        figures["tasks"] = asdict(_measure_tasks(args.variant, args.weights, records))
    print(figures)
    if args.into is not None:
        record = load_run_record(args.into)
        record.setdefault("figures", {})[args.part] = figures
        write_json(args.into / RUN_FILE, record)
    return 0


def score_detox(rows: Sequence[DetoxRow], rewrites: Sequence[str]) -> DetoxFigures:
    """The figures of rewrites of ParaDetox inputs, in the order of the rows."""
    lowered = [rewrite.lower() for rewrite in rewrites]
    references = [[reference.lower() for reference in row.references] for row in rows]
    chrf = CHRF()
    best = [
        max(chrf.sentence_score(rewrite, [reference]).score for reference in choices)
        for rewrite, choices in zip(lowered, references, strict=True)
    ]
    n_streams = max(map(len, references))
    streams = [
        [choices[i] if i < len(choices) else None for choices in references]
        for i in range(n_streams)
    ]
    bleu = BLEU().corpus_score(lowered, streams).score  # type: ignore[arg-type]  # None = no such reference
    return DetoxFigures(
        n=len(rows),
        profanity=_percent([bool(PROFANITY.search(text)) for text in rewrites]),
        profanity_or_insult=_percent(
            [bool(PROFANITY.search(text) or INSULT.search(text)) for text in rewrites]
        ),
        chrf=sum(best) / len(best),
        bleu=bleu,
        exact_copy=_percent(
            [
                _bare(rewrite) == _bare(row.toxic)
                for row, rewrite in zip(rows, rewrites, strict=True)
            ]
        ),
        empty=_percent([not rewrite.strip() for rewrite in rewrites]),
    )


def score_cmd(
    originals: Sequence[str],
    references: Sequence[str],
    phrases: Sequence[Sequence[str]],
    unsafe: Sequence[bool],
    rewrites: Sequence[str],
) -> CmdFigures:
    """The figures of rewrites of CMD texts; all sequences run in parallel."""
    unsafe_places = [i for i, is_unsafe in enumerate(unsafe) if is_unsafe]
    benign_places = [i for i, is_unsafe in enumerate(unsafe) if not is_unsafe]
    chrf = CHRF()
    scores = [chrf.sentence_score(rewrites[i], [references[i]]).score for i in unsafe_places]
    gone = [
        phrase.lower() not in rewrites[i].lower() for i in unsafe_places for phrase in phrases[i]
    ]
    return CmdFigures(
        n_benign=len(benign_places),
        benign_unchanged=_percent([rewrites[i].strip() == originals[i] for i in benign_places]),
        n_unsafe=len(unsafe_places),
        unsafe_unchanged=_percent(
            [_bare(rewrites[i]) == _bare(originals[i]) for i in unsafe_places]
        ),
        unsafe_equals_reference=_percent(
            [_bare(rewrites[i]) == _bare(references[i]) for i in unsafe_places]
        ),
        unsafe_chrf=sum(scores) / len(scores) if scores else float("nan"),
        phrase_removed=_percent(gone),
    )


def score_tasks(
    records: Sequence[CmdRecord], verdicts: Sequence[str], labels: Sequence[str]
) -> TaskFigures:
    """The figures of answers to "detect" and "label", in the order of the records."""
    right = [
        verdict.strip() == task_completion("detect", record)
        for record, verdict in zip(records, verdicts, strict=True)
    ]
    unsafe = [record.annotation is Annotation.UNSAFE for record in records]
    return TaskFigures(
        n=len(records),
        detect_right=_percent(right),
        detect_unsafe_found=_percent([ok for ok, bad in zip(right, unsafe, strict=True) if bad]),
        detect_benign_cleared=_percent(
            [ok for ok, bad in zip(right, unsafe, strict=True) if not bad]
        ),
        labels_right=_percent(
            [
                answer.strip() == task_completion("label", record)
                for record, answer in zip(records, labels, strict=True)
            ]
        ),
        labels_malformed=_percent([_LABELS.fullmatch(answer.strip()) is None for answer in labels]),
    )


def delete_listed(text: str) -> str:
    """The text with listed words taken out: the baseline that reads nothing."""
    kept = INSULT.sub("", re.sub(r"\w*" + PROFANITY.pattern + r"\w*", "", text, flags=re.I))
    return re.sub(r"\s+([.,!?])", r"\1", re.sub(r"\s+", " ", kept)).strip()


def _rewrite(variant: str, weights: Path, texts: Sequence[str]) -> list[str]:
    if variant == "copy":
        return list(texts)
    if variant == "delete":
        return [delete_listed(text) for text in texts]
    model, tokenizer = load_for_generation(weights / variant, weights / "base")
    asked = [task_prompt("rewrite", text) for text in texts] if variant in _TASK_VARIANTS else texts
    return rewrite_all(model, tokenizer, asked)


def _measure_tasks(variant: str, weights: Path, records: Sequence[CmdRecord]) -> TaskFigures:
    model, tokenizer = load_for_generation(weights / variant, weights / "base")
    verdicts, labels = (
        rewrite_all(model, tokenizer, [task_prompt(task, record.original) for record in records])
        for task in ("detect", "label")
    )
    return score_tasks(records, verdicts, labels)


def _bare(text: str) -> str:
    return text.lower().strip(" .!")


def _percent(flags: Sequence[bool]) -> float:
    return 100.0 * sum(flags) / len(flags) if flags else float("nan")
