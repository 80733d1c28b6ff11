"""The command that fine-tunes one variant."""

import argparse
from dataclasses import asdict
from pathlib import Path

from train.cmd_data import load_splits
from train.mixture import load_pools
from train.recipe import SftRecipe, load_recipe
from train.run_record import write_run_record
from train.sft import CURVE, run_sft
from train.sources import SOURCES, default_data_root
from train.templates import generate_records

N_TEMPLATES = 12000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recipe", type=Path, required=True, help="e.g. train/recipes/safe_peft_1ep.yaml"
    )
    parser.add_argument("--data-root", type=Path, default=default_data_root())


def run(args: argparse.Namespace) -> int:
    recipe = load_recipe(args.recipe, SftRecipe)
    pools = load_pools(
        args.data_root, templates=generate_records(recipe.seed, N_TEMPLATES), seed=recipe.seed
    )
    splits = load_splits()
    outcome = run_sft(recipe, pools, splits["train"], splits["dev"])
    write_run_record(
        recipe.output_dir,
        kind="sft",
        recipe=recipe,
        recipe_file=args.recipe,
        source_names=tuple(SOURCES),
        outcome=asdict(outcome),
        curve_file=CURVE,
    )
    return 0
