"""The panel "Advanced": which variants, which prompt, how tokens are chosen, whether guided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from srllm.backends.protocol import Decoding
from srllm.errors import InputError
from srllm.prompts import PROMPTS
from srllm.rewriter import Rewriter

_GREEDY, _SAMPLING = "greedy", "sampling"
_OWN_PROMPT = ""
_MAX_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Options:
    """How a visitor wants texts to be rewritten."""

    variants: tuple[str, ...]
    prompt: str | None
    decoding: Decoding
    guided: bool


@dataclass(frozen=True, slots=True)
class AdvancedPanel:
    """The components of the panel, and how their values are read."""

    variants: gr.CheckboxGroup
    prompt: gr.Dropdown
    mode: gr.Radio
    temperature: gr.Slider
    top_p: gr.Slider
    seed: gr.Number
    guided: gr.Checkbox
    known: tuple[str, ...]

    @property
    def inputs(self) -> set[Any]:  # Any: Gradio's components are untyped here
        return {
            self.variants,
            self.prompt,
            self.mode,
            self.temperature,
            self.top_p,
            self.seed,
            self.guided,
        }

    def read(self, values: Mapping[Any, Any]) -> Options:  # Any: as the browser sent them
        """The options, checked here because a browser can send anything."""
        chosen: Sequence[str] = values[self.variants] or ()
        if not chosen:
            raise InputError("No variant is chosen. Choose at least one under Advanced.")
        decoding = Decoding()
        if values[self.mode] == _SAMPLING:
            temperature, top_p = float(values[self.temperature]), float(values[self.top_p])
            seed = int(values[self.seed] or 0)
            if not (0.0 < temperature <= 2.0 and 0.0 < top_p <= 1.0 and 0 <= seed <= _MAX_SEED):
                raise InputError(
                    f"Temperature {temperature:g}, top-p {top_p:g}, seed {seed} can not be used. "
                    f"Keep them in (0, 2], (0, 1] and 0-{_MAX_SEED}."
                )
            decoding = Decoding(temperature=temperature, top_p=top_p, seed=seed)
        return Options(
            tuple(name for name in self.known if name in chosen),
            values[self.prompt] or None,
            decoding,
            bool(values[self.guided]),
        )


def build_advanced_panel(rewriter: Rewriter, *, guided: bool) -> AdvancedPanel:
    rows = rewriter.profile.variants
    with gr.Accordion("Advanced: variants, prompt, decoding", open=False, elem_classes="sr-fold"):
        variants = gr.CheckboxGroup(
            [(row.label, name) for name, row in rows.items()],
            value=[name for name, row in rows.items() if row.is_default],
            label="Variants",
            info="One column each. The base model is the untuned baseline.",
        )
        prompt = gr.Dropdown(
            [("The one each variant was trained with", _OWN_PROMPT)]
            + [(prompt.label, name) for name, prompt in PROMPTS.items()],
            value=_OWN_PROMPT,
            label="Prompt",
            info="Another prompt than the trained one is an experiment: expect worse rewrites.",
        )
        with gr.Row():
            mode = gr.Radio(
                [("Greedy, as in the paper", _GREEDY), ("Sampling", _SAMPLING)],
                value=_GREEDY,
                label="Decoding",
                info="Greedy gives the same rewrite each time.",
            )
            guided_box = gr.Checkbox(
                guided,
                label="Guided second pass",
                info="Where the first answer is still unsafe, try again without the flagged "
                "phrases.",
            )
        with gr.Row(visible=False) as sampling:
            temperature = gr.Slider(0.1, 2.0, value=0.7, step=0.05, label="Temperature")
            top_p = gr.Slider(0.05, 1.0, value=0.9, step=0.05, label="Top-p")
            seed = gr.Number(0, precision=0, minimum=0, maximum=_MAX_SEED, label="Seed")
        mode.change(
            lambda value: gr.Row(visible=value == _SAMPLING),
            mode,
            sampling,
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
    return AdvancedPanel(
        variants, prompt, mode, temperature, top_p, seed, guided_box, known=tuple(rows)
    )
