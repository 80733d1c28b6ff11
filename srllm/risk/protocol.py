"""What a detector is: texts in, reports out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from srllm.records import RiskReport


class Detector(Protocol):
    """Scores texts for the categories of the taxonomy. Safe to call from many threads."""

    @property
    def name(self) -> str:
        """Name and version, written into every report."""

    def analyze(self, texts: Sequence[str]) -> list[RiskReport]:
        """One report a text, in order. Empty texts are allowed and get the lowest scores."""
