import random

import pytest
import torch

from train.packed_llama import build_llama, build_rotary, packed_hidden_states, packed_loss
from train.packing import TokenExample, iter_batches


@pytest.fixture(scope="module")
def model():
    return build_llama(vocab_size=60, hidden=256, layers=2, heads=4, feed_forward=32, seed=3).eval()


def test_packed_examples_see_what_they_would_see_alone(model):
    first, second = [1, 7, 8, 9, 10], [1, 11, 12, 13]
    row = torch.tensor([first + second + [0]])
    segments = torch.tensor([[0] * 5 + [1] * 4 + [-1]])
    with torch.no_grad():
        packed = packed_hidden_states(model, row, segments, build_rotary(model.config, 10))
        for ids, place in ((first, slice(0, 5)), (second, slice(5, 9))):
            alone = model.model(torch.tensor([ids])).last_hidden_state
            torch.testing.assert_close(packed[:, place], alone, rtol=1e-4, atol=1e-5)


def test_packed_loss_equals_the_loss_of_the_plain_model(model):
    example = TokenExample(ids=(1, 3, 20, 21, 4, 22, 23, 2), n_prompt=5)
    (batch,) = iter_batches(
        [example], batch_rows=1, row_length=12, n_targets=6, rng=random.Random(0), epochs=1
    )
    rotary = build_rotary(model.config, 12)
    with torch.no_grad():
        loss, _ = packed_loss(
            model,
            batch.input_ids,
            batch.segment_ids,
            batch.positions,
            batch.targets,
            batch.weights,
            rotary,
        )
        ids = torch.tensor([example.ids])
        labels = torch.where(torch.arange(8) >= 5, ids, -100)
        plain = model(ids, labels=labels).loss
    assert float(loss) == pytest.approx(float(plain), rel=1e-4)


def test_padding_and_neighbours_do_not_change_the_loss(model):
    examples = [TokenExample((1, 3, 9 + i, 4, 30 + i, 2), n_prompt=4) for i in range(4)]
    rotary = build_rotary(model.config, 13)

    def mean_loss(batch_rows, row_length):
        total = weight = 0.0
        for batch in iter_batches(
            examples,
            batch_rows=batch_rows,
            row_length=row_length,
            n_targets=16,
            rng=random.Random(0),
            epochs=1,
        ):
            with torch.no_grad():
                _, losses = packed_loss(
                    model,
                    batch.input_ids,
                    batch.segment_ids,
                    batch.positions,
                    batch.targets,
                    batch.weights,
                    rotary,
                )
            total += float((losses * batch.weights).sum())
            weight += float(batch.weights.sum())
        return total / weight

    assert mean_loss(2, 13) == pytest.approx(mean_loss(1, 6), rel=1e-4)
