import random

import pytest

from srllm.records import CmdRecord
from train.mixture import Pools
from train.templates import generate_records
from train.tokenizer import build_tokenizer


@pytest.fixture(scope="session")
def records() -> list[CmdRecord]:
    return generate_records(seed=4, n=40)


@pytest.fixture(scope="session")
def pools(records) -> Pools:
    return Pools(
        formal=("The city council met on Monday to vote on the new plan.",),
        casual=("i really like the people at this place",),
        about_groups=("Women lead three of the five teams.",),
        detox=(("that was a damn stupid plan", "that was not a good plan"),),
        templates=tuple(records),
        words=tuple(
            [
                "one",
                "two",
                "three",
                "four",
                "five",
                "six",
                "seven",
                "eight",
                "nine",
                "ten",
                "eleven",
            ]
        ),
    )


@pytest.fixture(scope="session")
def tokenizer(records):
    texts = [text for record in records for text in (record.original, record.benign)]
    return build_tokenizer(texts * 5, vocab_size=400)


@pytest.fixture
def rng() -> random.Random:
    return random.Random(7)
