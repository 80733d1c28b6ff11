import pytest
import torch

from train.induction_init import write_induction_circuit
from train.packed_llama import build_llama
from train.tokenizer import BOS_ID, EOS_ID, INST_CLOSE_ID, INST_OPEN_ID


def _copy_accuracy(model):
    generator = torch.Generator().manual_seed(5)
    right = total = 0
    for length in (6, 12, 24):
        prompt = torch.randperm(395, generator=generator)[:length].add(5).tolist()
        ids = [BOS_ID, INST_OPEN_ID, *prompt, INST_CLOSE_ID, *prompt, EOS_ID]
        with torch.no_grad():
            predicted = model(torch.tensor([ids])).logits[0].argmax(-1).tolist()
        targets = ids[length + 3 : -1]  # the end token ties with the closing tag before training
        right += sum(p == t for p, t in zip(predicted[length + 2 :], targets, strict=False))
        total += length
    return right / total


def test_the_circuit_repeats_the_prompt_before_any_training():
    model = build_llama(vocab_size=400, hidden=256, layers=3, heads=4, feed_forward=64, seed=0)
    assert _copy_accuracy(model) < 0.2
    write_induction_circuit(model, seed=0)
    assert _copy_accuracy(model) > 0.9


def test_a_model_of_another_shape_is_refused():
    model = build_llama(vocab_size=50, hidden=64, layers=2, heads=4, feed_forward=32, seed=0)
    with pytest.raises(ValueError, match="heads of 64"):
        write_induction_circuit(model, seed=0)
