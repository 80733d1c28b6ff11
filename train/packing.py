"""Examples packed into rows: several a row, each seeing only itself, the loss only where asked."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class TokenExample:
    """Token ids of one prompt and completion, with the weight of the loss on each token."""

    ids: tuple[int, ...]  # <s> [INST] prompt [/INST] completion </s>
    n_prompt: int  # ids before the completion
    prompt_weight: float = 0.0  # weight of the loss on the prompt's own text

    @property
    def n_supervised(self) -> int:
        return len(self.ids) - self.n_prompt


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Rows of examples and a fixed number of positions that have a target."""

    input_ids: Tensor  # (batch, seq)
    segment_ids: Tensor  # (batch, seq): number of the example in its row, -1 for padding
    positions: Tensor  # (n_targets,): flat positions whose next token is predicted
    targets: Tensor  # (n_targets,)
    weights: Tensor  # (n_targets,): 0 for filling
    n_tokens: int  # tokens that are no padding


def iter_batches(
    examples: Sequence[TokenExample],
    *,
    batch_rows: int,
    row_length: int,
    n_targets: int,
    rng: random.Random,
    epochs: int | None = None,
) -> Iterator[PackedBatch]:
    """Packed batches in a new random order each epoch; for ever where `epochs` is None."""
    if not examples:
        raise ValueError("no examples to pack")
    epoch = 0
    while epochs is None or epoch < epochs:
        order = list(range(len(examples)))
        rng.shuffle(order)
        rows: list[list[TokenExample]] = [[] for _ in range(batch_rows)]
        lengths = [0] * batch_rows
        waiting: list[int] = []
        for index in order:
            if _place(examples[index], rows, lengths, row_length):
                continue
            waiting.append(index)
            if len(waiting) < 12:  # shorter ones may still fill the gaps
                continue
            yield _build(rows, row_length, n_targets, rng)
            rows, lengths = [[] for _ in range(batch_rows)], [0] * batch_rows
            waiting = [i for i in waiting if not _place(examples[i], rows, lengths, row_length)]
        while any(rows):
            yield _build(rows, row_length, n_targets, rng)
            rows, lengths = [[] for _ in range(batch_rows)], [0] * batch_rows
            waiting = [i for i in waiting if not _place(examples[i], rows, lengths, row_length)]
        epoch += 1


def _place(
    example: TokenExample, rows: list[list[TokenExample]], lengths: list[int], row_length: int
) -> bool:
    """Put the example into the fullest row that still has room."""
    length = len(example.ids)
    if length > row_length:
        raise ValueError(f"an example of {length} tokens does not fit a row of {row_length}")
    best = max(
        (row for row in range(len(rows)) if lengths[row] + length <= row_length),
        key=lengths.__getitem__,
        default=-1,
    )
    if best < 0:
        return False
    rows[best].append(example)
    lengths[best] += length
    return True


def _build(
    rows: list[list[TokenExample]], row_length: int, n_targets: int, rng: random.Random
) -> PackedBatch:
    input_ids = np.zeros((len(rows), row_length), dtype=np.int64)
    segment_ids = np.full((len(rows), row_length), -1, dtype=np.int64)
    positions, targets, weights = [], [], []
    for number, row in enumerate(rows):
        start = 0
        for segment, example in enumerate(row):
            ids = np.array(example.ids, dtype=np.int64)
            input_ids[number, start : start + len(ids)] = ids
            segment_ids[number, start : start + len(ids)] = segment
            first = 1 if example.prompt_weight else example.n_prompt - 1
            within = np.arange(first, len(ids) - 1)
            positions.append(number * row_length + start + within)
            targets.append(ids[within + 1])
            is_completion = within >= example.n_prompt - 1
            weights.append(np.where(is_completion, 1.0, example.prompt_weight))
            start += len(ids)
    flat = [np.concatenate(parts) for parts in (positions, targets, weights)]
    if len(flat[0]) > n_targets:  # drop at random, prompt positions first
        noise = np.random.default_rng(rng.getrandbits(32)).random(len(flat[2]))
        kept = np.sort(np.argsort(-(flat[2] * 10 + noise))[:n_targets])
        flat = [part[kept] for part in flat]
    filling = n_targets - len(flat[0])
    flat = [np.pad(part, (0, filling)) for part in flat]
    return PackedBatch(
        input_ids=torch.from_numpy(input_ids),
        segment_ids=torch.from_numpy(segment_ids),
        positions=torch.from_numpy(flat[0]),
        targets=torch.from_numpy(flat[1]),
        weights=torch.from_numpy(flat[2]).float(),
        n_tokens=int((segment_ids >= 0).sum()),
    )
