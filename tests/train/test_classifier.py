import json

import numpy as np
import pytest

pytest.importorskip("sklearn")

from srllm.records import CmdRecord  # noqa: E402  # after the optional dependency is known
from srllm.risk.linear import HEADS, LinearDetector  # noqa: E402
from train.classifier import (  # noqa: E402
    ClassifierRecipe,
    family_weights,
    phrase_f,
    save_heads,
    train_heads,
)
from train.classifier_report import expected_calibration_error  # noqa: E402
from train.risk_data import LabelledText, cmd_labels, hash_split  # noqa: E402

SUBJECTS = ["plan", "film", "soup", "bus", "letter", "garden", "report", "song", "shop", "road"]
RUDE = ["You idiot, the {} is garbage.", "Only a moron likes the {}.", "Shut up about the {}."]
FAIR = ["I like the {}.", "The {} is open on Monday.", "We talked about the {} today."]


def record(text, is_unsafe, phrase=""):
    return CmdRecord.from_json(
        {
            "ID": text,
            "Original_Sentence": text,
            "BIAS": "No",
            "TOXICITY": "Mild" if is_unsafe else "No",
            "SENTIMENT": "Negative" if is_unsafe else "Positive",
            "HARM": "Low",
            "Benign": text,
            "Annotation": "Unsafe" if is_unsafe else "Benign",
            "WORDS_OR_PHRASES": [phrase] if phrase else [],
        }
    )


@pytest.fixture(scope="module")
def rows():
    """A small world: insults are unsafe; every head needs both answers, so all follow "unsafe"."""
    found = []
    for number, subject in enumerate(SUBJECTS):
        split = "dev" if number >= 7 else "train"
        for templates, is_unsafe in ((RUDE, True), (FAIR, False)):
            for template in templates:
                labels = dict.fromkeys(HEADS, is_unsafe) | {"positive": not is_unsafe}
                found.append(LabelledText(template.format(subject), "cmd", split, labels))
    return found


@pytest.fixture(scope="module")
def trained(rows):
    dev = [record("You idiot, the boat is garbage.", True, "idiot")]
    return train_heads(rows, dev, ClassifierRecipe(n_words=200, n_chars=400, c=100.0))


def test_trained_heads_tell_unsafe_from_benign_on_new_subjects(trained):
    rude, fair = trained.detector().analyze(["You idiot, the boat is garbage.", "I like the boat."])
    assert rude.is_unsafe
    assert not fair.is_unsafe


def test_saved_heads_give_the_same_scores(trained, tmp_path):
    save_heads(trained, tmp_path)
    text = "Only a moron likes the boat."
    np.testing.assert_allclose(
        LinearDetector.load(tmp_path).head_logits(text),
        trained.detector().head_logits(text),
        atol=1e-5,
    )
    assert json.loads((tmp_path / "config.json").read_text())["heads"] == list(HEADS)


def test_training_twice_gives_the_same_weights(trained, rows):
    dev = [record("You idiot, the boat is garbage.", True, "idiot")]
    again = train_heads(rows, dev, ClassifierRecipe(n_words=200, n_chars=400, c=100.0))
    np.testing.assert_array_equal(trained.weights, again.weights)
    assert trained.config == again.config


def test_phrase_f_counts_characters_of_marked_phrases(trained):
    marked = record("You idiot, the boat is garbage.", True, "You idiot, the boat is garbage.")
    assert 0.0 < phrase_f(trained.detector(), [marked]) <= 1.0
    benign = record("I like the boat.", False)
    assert phrase_f(trained.detector(), [benign]) == 0.0  # not found unsafe: left out


def test_families_weigh_alike_whatever_their_size(rows):
    more = [*rows, LabelledText("x", "toxigen", "train", {"unsafe": True})]
    weights = family_weights(more, np.ones(len(more), dtype=bool))
    assert weights[-1] == 1.0
    assert weights[:-1].sum() == pytest.approx(1.0)


def test_the_labels_of_a_record_follow_its_grades():
    labels = cmd_labels(record("Only a moron likes it.", True))
    assert labels["unsafe"] and labels["toxicity"] and labels["negative"]
    assert not (labels["toxicity_high"] or labels["bias"] or labels["harm"])


def test_calibration_error_of_a_worked_example():
    # Bin [0.2, 0.3): 0.25 said, 0 true; bin [0.7, 0.8): 0.75 said, 1 true. Half of 0.25 each.
    labels = np.array([0, 0, 1, 1])
    probability = np.array([0.25, 0.25, 0.75, 0.75])
    assert expected_calibration_error(labels, probability) == pytest.approx(0.25)


def test_a_text_never_changes_its_split():
    assert hash_split("Hello  World") == hash_split("hello world")
    splits = [hash_split(f"text {i}") for i in range(1000)]
    assert 700 < splits.count("train") < 900
