"""The variants of the paper and the baselines, one row each, and the profiles that serve them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of rewriting a text: weights, a prompt, maybe an adapter on the base model."""

    name: str  # stable key: written to result files and to the study database
    label: str  # for readers; never sent to a blind screen
    prompt: str  # key of srllm.prompts.PROMPTS
    description: str = ""
    adapter: str | None = None  # LoRA weights on the profile's base model: path or hub id
    model: str | None = None  # dense weights or, for an endpoint, the served model's name
    revision: str | None = None  # of the adapter or the model, where it comes from a hub
    is_default: bool = True  # shown without being asked for


@dataclass(frozen=True, slots=True)
class Profile:
    """A base model, how it is served, and the variants of it."""

    name: str
    label: str
    backend: str  # key of srllm.backends.BACKENDS
    base_model: str  # path or hub id, or the address of an OpenAI-compatible server
    variants: Mapping[str, Variant]
    description: str = ""  # the honest note on which model is running
    revision: str | None = None
    dtype: str = "float32"  # "float32", "bfloat16", "float16"
    quantisation: str | None = None  # "nf4": 4-bit NormalFloat with double quantisation
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:0"
    requires_cuda: bool = False
    max_input_tokens: int = 1024  # of the text, without the prompt
    max_new_tokens: int = 512
    # Longer texts are rewritten in windows of whole sentences of at most this many tokens: small
    # models are trained on short texts. None: the whole text at once.
    window_tokens: int | None = None
    detector: str = "embedded"  # key of srllm.risk.DETECTORS, or "hf:<model>"
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
