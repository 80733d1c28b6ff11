"""A tiny Llama with random weights, two adapters and a dense variant, saved as profiles are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from srllm.variants import Profile, Variant

_TEXTS = [
    "the quick brown fox jumps over the lazy dog and the cat sat on the mat",
    "people in this town are kind, and nobody here is an idiot about the weather",
    "she said that the plan was good; he thought it was not; they agreed later",
]


@dataclass(frozen=True)
class TinyModels:
    folder: Path
    profile: Profile


def build_tiny_models(folder: Path) -> TinyModels:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _build_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.5,  # large: random weights whose likeliest token is clearly ahead
        tie_word_embeddings=True,
    )
    for name, seed in (("base", 0), ("dense", 1)):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        model.get_input_embeddings().weight.data[5:261] *= 0.05  # words rather than bytes
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    for name, seed, rank, targets in (
        ("lora_a", 2, 4, ["q_proj", "v_proj"]),
        ("lora_b", 3, 8, ["q_proj", "k_proj", "o_proj", "up_proj", "down_proj"]),
    ):
        base = LlamaForCausalLM.from_pretrained(folder / "base")
        torch.manual_seed(seed)
        lora = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets)
        model = get_peft_model(base, lora)
        for parameter_name, parameter in model.named_parameters():
            if "lora_" in parameter_name:
                torch.nn.init.normal_(parameter, std=0.5)
        model.save_pretrained(folder / name)
    variants = (
        Variant("base", "Base", "compact", is_default=False),
        Variant("lora_a", "LoRA A", "compact", adapter=str(folder / "lora_a")),
        Variant("lora_b", "LoRA B", "compact", adapter=str(folder / "lora_b")),
        Variant("dense", "Dense", "compact", model=str(folder / "dense")),
    )
    profile = Profile(
        "tiny",
        "Tiny",
        backend="local",
        base_model=str(folder / "base"),
        variants=MappingProxyType({row.name: row for row in variants}),
        max_input_tokens=200,
        max_new_tokens=24,
    )
    return TinyModels(folder, profile)


def _build_tokenizer():
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Prepend(" ")
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    special = ["<pad>", "<s>", "</s>", "[INST]", "[/INST]"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=340, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_TEXTS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=special[3:],
        chat_template=(
            "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}"
            "{{ m['content'] + eos_token }}{% else %}{{ '[INST]' + m['content'] + '[/INST]' }}"
            "{% endif %}{% endfor %}"
        ),
        clean_up_tokenization_spaces=False,
    )


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyModels:
    return build_tiny_models(tmp_path_factory.mktemp("tiny"))
