"""Greedy rewriting with trained weights, in batches, as they will be served."""

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from srllm.errors import ModelUnavailableError
from train.tokenizer import (
    BOS_ID,
    EOS_ID,
    INST_CLOSE_ID,
    INST_OPEN_ID,
    PAD_ID,
    encode_text,
    load_tokenizer,
)

MORE_TOKENS = 24  # a rewrite may be this much longer than its text


def load_for_generation(
    folder: Path, base: Path
) -> tuple[LlamaForCausalLM | PeftModel, PreTrainedTokenizerFast]:
    """A dense model, or an adapter on the base, in float32 and evaluation mode."""
    is_adapter = (folder / "adapter_config.json").is_file()
    dense = base if is_adapter else folder
    if not (dense / "config.json").is_file():
        raise ModelUnavailableError(f"No weights in {str(dense)!r}. Train or export them first.")
    model: LlamaForCausalLM | PeftModel = LlamaForCausalLM.from_pretrained(
        dense, dtype=torch.float32
    )
    if is_adapter:
        model = PeftModel.from_pretrained(model, folder)
    return model.eval(), load_tokenizer(dense)


@torch.inference_mode()
def rewrite_all(
    model: LlamaForCausalLM | PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    *,
    batch_size: int = 32,
) -> list[str]:
    """The greedy completion of each prompt, in the order given."""
    encoded = [[BOS_ID, INST_OPEN_ID, *encode_text(tokenizer, p), INST_CLOSE_ID] for p in prompts]
    order = sorted(range(len(prompts)), key=lambda index: len(encoded[index]))
    completions = [""] * len(prompts)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        longest = max(len(encoded[index]) for index in chosen)
        padding = [longest - len(encoded[index]) for index in chosen]
        generated = model.generate(  # type: ignore[misc]  # the mixin types its own self
            input_ids=torch.tensor(
                [[PAD_ID] * pad + encoded[i] for i, pad in zip(chosen, padding, strict=True)]
            ),
            attention_mask=torch.tensor(
                [[0] * pad + [1] * (longest - pad) for pad in padding], dtype=torch.long
            ),
            max_new_tokens=longest + MORE_TOKENS,
            do_sample=False,
            eos_token_id=EOS_ID,
            pad_token_id=PAD_ID,
        )
        for index, ids in zip(chosen, generated[:, longest:].tolist(), strict=True):
            completions[index] = str(tokenizer.decode(ids, skip_special_tokens=True))
    return completions
