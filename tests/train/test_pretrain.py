import dataclasses

import pytest
import torch

from train.pretrain import Pretraining, load_curve
from train.recipe import ModelRecipe, PretrainRecipe, StageRecipe

TOKENS = 1200


@pytest.fixture
def recipe(tmp_path):
    stage = StageRecipe(
        name="edit",
        n_tokens=TOKENS,
        n_examples=20,
        batch_rows=2,
        row_length=100,
        n_targets=100,
        shares={"copied": 1.0, "noised": 1.0},
    )
    return PretrainRecipe(
        output_dir=tmp_path / "run",
        seed=2,
        threads=1,
        model=ModelRecipe(vocab_size=400, hidden=256, layers=2, heads=4, feed_forward=32),
        learning_rate=1e-3,
        warmup_steps=2,
        decay_from=0.5,
        final_share=0.1,
        prompt_weight=0.5,
        checkpoint_minutes=10,
        stages=(stage, dataclasses.replace(stage, name="rewrite")),
    )


def _weights(training):
    return training.model.model.layers[0].mlp.up_proj.weight.detach().clone()


def test_a_run_can_stop_after_a_stage_and_go_on(recipe, pools, tokenizer):
    first = Pretraining(recipe)
    first.run(pools, tokenizer, until="edit", should_compile=False)
    assert TOKENS <= first.n_tokens < 2 * TOKENS

    second = Pretraining(recipe)
    assert second.resume()
    torch.testing.assert_close(_weights(second), _weights(first))
    second.run(pools, tokenizer, should_compile=False)
    assert second.n_tokens >= 2 * TOKENS
    assert (recipe.output_dir / "after_rewrite" / "model.safetensors").is_file()
    assert {row["stage"] for row in load_curve(recipe.output_dir)} == {"edit", "rewrite"}


def test_the_same_seed_gives_the_same_weights(recipe, pools, tokenizer, tmp_path):
    runs = []
    for name in ("a", "b"):
        training = Pretraining(dataclasses.replace(recipe, output_dir=tmp_path / name))
        training.run(pools, tokenizer, until="edit", should_compile=False)
        runs.append(_weights(training))
    assert torch.equal(*runs)


def test_without_a_checkpoint_there_is_nothing_to_resume(recipe):
    assert not Pretraining(recipe).resume()
