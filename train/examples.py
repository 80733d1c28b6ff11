"""A training text before it is encoded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextExample:
    """One training text: a prompt, its completion, and whether the prompt is natural language."""

    prompt: str
    completion: str
    is_natural: bool = False  # the prompt's own text is worth modelling too
