"""Rows of a file of rewrites: one text with all its variants, as JSON or as a line of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from srllm.records import Category, Rewrite

_VARIANT_COLUMNS = ("rewrite", "outcome", "risk_after", "insights", "suggestion", "seconds")


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One text of a batch: its rewrites, or the sentence that says why there are none."""

    index: int  # from 0, in the order of the input
    text: str
    result: tuple[Rewrite, ...] | str

    @property
    def error(self) -> str | None:
        return self.result if isinstance(self.result, str) else None

    @property
    def rewrites(self) -> tuple[Rewrite, ...]:
        return () if isinstance(self.result, str) else self.result

    def to_json(self) -> dict[str, object]:
        return {
            "index": self.index,
            "text": self.text,
            "error": self.error,
            "rewrites": [rewrite.to_json() for rewrite in self.rewrites],
        }


def csv_header(variants: Sequence[str]) -> list[str]:
    header = ["index", "text", "error", "risk_before", "bias", "toxicity", "sentiment", "harm"]
    return header + [f"{name}_{column}" for name in variants for column in _VARIANT_COLUMNS]


def csv_row(row: BatchRow, variants: Sequence[str]) -> list[object]:
    """The values under `csv_header(variants)`; empty where the text could not be rewritten."""
    cells: list[object] = [row.index, row.text, row.error or ""]
    if not row.rewrites:
        return cells + [""] * (len(csv_header(variants)) - len(cells))
    before = row.rewrites[0].before
    cells += [round(before.scores[Category.UNSAFE], 4), before.bias.value, before.toxicity.value]
    cells += [before.sentiment.value, before.harm.value]
    by_name = {rewrite.variant: rewrite for rewrite in row.rewrites}
    for name in variants:
        cells.extend(_variant_cells(by_name[name]))
    return cells


def _variant_cells(rewrite: Rewrite) -> Iterator[object]:
    yield rewrite.text
    yield rewrite.outcome.value
    yield round(rewrite.after.unsafe, 4)
    yield " ".join(insight.message for insight in rewrite.insights)
    yield rewrite.suggestion or ""
    yield round(rewrite.elapsed_s, 3)
