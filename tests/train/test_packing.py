import random

import pytest

from train.packing import TokenExample, iter_batches


def _example(n_prompt, n_completion, prompt_weight=0.0):
    return TokenExample(tuple(range(10, 10 + n_prompt + n_completion)), n_prompt, prompt_weight)


def _one_batch(examples, **changes):
    options = {"batch_rows": 2, "row_length": 12, "n_targets": 20, "epochs": 1}
    return next(iter_batches(examples, **(options | changes), rng=random.Random(0)))


def test_only_completion_tokens_are_targets():
    batch = _one_batch([_example(n_prompt=3, n_completion=2)])
    kept = batch.weights > 0
    # ids are 10..14, the completion is 13 and 14
    assert batch.targets[kept].tolist() == [13, 14]
    flat = batch.input_ids.reshape(-1)
    assert flat[batch.positions[kept]].tolist() == [12, 13]


def test_natural_prompts_are_targets_with_their_weight():
    batch = _one_batch([_example(3, 2, prompt_weight=0.5)])
    kept = batch.weights > 0
    # the start token and the opening tag are never predicted
    assert batch.targets[kept].tolist() == [12, 13, 14]
    assert batch.weights[kept].tolist() == [0.5, 1.0, 1.0]


def test_each_epoch_uses_every_example_once():
    examples = [_example(2, 1 + i % 4) for i in range(37)]
    batches = iter_batches(
        examples, batch_rows=3, row_length=9, n_targets=27, rng=random.Random(1), epochs=2
    )
    n_tokens = sum(batch.n_tokens for batch in batches)
    assert n_tokens == 2 * sum(len(example.ids) for example in examples)


def test_too_many_targets_drop_prompt_positions_first():
    batch = _one_batch([_example(8, 4, prompt_weight=0.5)], n_targets=4)
    assert batch.weights.tolist() == [1.0] * 4


def test_an_example_longer_than_a_row_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        _one_batch([_example(10, 10)])


def test_no_examples_are_refused():
    with pytest.raises(ValueError, match="no examples"):
        _one_batch([])
