"""Detectors: what is unsafe in a text, how sure that is, and which phrases carry it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

from srllm.errors import UnknownNameError
from srllm.risk.protocol import Detector

__all__ = ["DETECTORS", "Detector", "get_detector"]

_HUB = "hf"


@functools.cache
def _embedded(_: str) -> Detector:
    from srllm.risk.linear import LinearDetector

    return LinearDetector.load()


@functools.cache
def _hub(target: str) -> Detector:
    from srllm.risk.hf import HubDetector

    model, _, revision = target.partition("@")
    return HubDetector.load(model, revision=revision or None)


# Name before the first colon -> builder, given what follows the colon. Builders import lazily and
# are called once for each target.
DETECTORS: Mapping[str, Callable[[str], Detector]] = MappingProxyType(
    {"embedded": _embedded, _HUB: _hub}
)


def get_detector(spec: str) -> Detector:
    """The detector of a specification, loaded once: "embedded" or "hf:<model>[@revision]"."""
    name, _, target = spec.partition(":")
    needs_target = name == _HUB
    if name not in DETECTORS or needs_target != bool(target):
        raise UnknownNameError(
            f"No detector named {spec!r}. Known: 'embedded', or 'hf:<model id or path>' with an "
            "optional '@revision' for a Hugging Face sequence classifier."
        )
    return DETECTORS[name](target)
