"""Trained weights turned into what ships: bf16 safetensors in one folder a variant."""

import argparse
import logging
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, GenerationConfig, LlamaForCausalLM

from srllm.errors import ModelUnavailableError
from train.run_record import RUN_FILE
from train.tokenizer import BOS_ID, EOS_ID, PAD_ID

_LOG = logging.getLogger(__name__)
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", type=Path, required=True, help="e.g. runs/safe_peft_1ep/weights"
    )
    parser.add_argument("--variant", required=True, help="name of the folder that is written")
    parser.add_argument("--into", type=Path, default=Path("srllm/embedded/lm"))


def run(args: argparse.Namespace) -> int:
    target = args.into / args.variant
    if (args.weights / ADAPTER_CONFIG).is_file():
        export_adapter(args.weights, target)
    else:
        export_dense(args.weights, target)
    run_file = args.weights.parent / RUN_FILE
    if run_file.is_file():
        shutil.copyfile(run_file, target / RUN_FILE)
    size = sum(path.stat().st_size for path in target.iterdir())
    _LOG.info("wrote %s, %.1f MB", target, size / 1e6)
    return 0


def export_dense(weights: Path, target: Path) -> None:
    """A whole model in bf16, with its tokenizer and greedy generation settings."""
    if not (weights / "config.json").is_file():
        raise ModelUnavailableError(f"No model in {str(weights)!r}. Train it before exporting it.")
    model = LlamaForCausalLM.from_pretrained(weights, dtype=torch.bfloat16)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]  # as in transformers
        bos_token_id=BOS_ID, eos_token_id=EOS_ID, pad_token_id=PAD_ID, do_sample=False
    )
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(weights).save_pretrained(target)


def export_adapter(weights: Path, target: Path) -> None:
    """A LoRA adapter in bf16; the tokenizer is the base's."""
    target.mkdir(parents=True, exist_ok=True)
    tensors = load_file(weights / ADAPTER_WEIGHTS)
    save_file(
        {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in tensors.items()},
        target / ADAPTER_WEIGHTS,
        metadata={"format": "pt"},
    )
    shutil.copyfile(weights / ADAPTER_CONFIG, target / ADAPTER_CONFIG)
