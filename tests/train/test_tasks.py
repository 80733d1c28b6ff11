import random

import pytest

from srllm.taxonomy import Annotation
from train.tasks import TASKS, sample_task, task_completion, task_prompt


def _first(records, annotation):
    return next(record for record in records if record.annotation is annotation)


def test_completions_answer_their_task(records):
    unsafe = _first(records, Annotation.UNSAFE)
    assert task_completion("detect", unsafe) == "Unsafe"
    assert task_completion("rewrite", unsafe) == unsafe.benign
    assert task_completion("label", unsafe).startswith(f"Bias: {unsafe.bias.value}; ")
    benign = _first(records, Annotation.BENIGN)
    assert task_completion("detect", benign) == "Safe"
    assert task_completion("keep", benign) == benign.original


def test_an_unsafe_text_is_never_to_be_kept(records):
    unsafe = _first(records, Annotation.UNSAFE)
    rng = random.Random(0)
    weights = {task: 1.0 for task in TASKS}
    drawn = [sample_task(unsafe, weights, rng) for _ in range(100)]
    assert not [example for example in drawn if example.completion == unsafe.original]


def test_every_task_is_drawn_for_a_benign_text(records):
    benign = _first(records, Annotation.BENIGN)
    rng = random.Random(0)
    drawn = [sample_task(benign, {task: 1.0 for task in TASKS}, rng) for _ in range(100)]
    assert {"Safe", benign.original} < {example.completion for example in drawn}


def test_the_served_prompt_is_one_line_and_the_text():
    prompt = task_prompt("rewrite", "some text")
    assert prompt.split("\n")[1:] == [" some text"]


def test_an_unknown_task_is_refused(records):
    with pytest.raises(ValueError, match="no task named"):
        task_completion("summarise", records[0])
