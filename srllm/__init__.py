"""Tells what is unsafe in a text and rewrites it with any declared variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srllm.rewriter import Rewriter, RewriteUpdate, Stage

__all__ = ["RewriteUpdate", "Rewriter", "Stage"]


def __getattr__(name: str) -> object:
    """`from srllm import Rewriter`, found at first use: importing srllm stays instant."""
    if name in __all__:
        from srllm import rewriter

        return getattr(rewriter, name)
    raise AttributeError(f"module 'srllm' has no attribute {name!r}")
