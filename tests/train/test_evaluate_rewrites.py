import pytest

from srllm.taxonomy import Annotation
from train.evaluate_rewrites import delete_listed, score_cmd, score_detox, score_tasks
from train.paradetox import DetoxRow
from train.tasks import task_completion

ROWS = [
    DetoxRow("this damn plan is bad", ("this plan is bad", "the plan is bad")),
    DetoxRow("you are an idiot!", ("you are wrong",)),
]


def test_copying_scores_as_a_copy():
    figures = score_detox(ROWS, [row.toxic for row in ROWS])
    assert (figures.n, figures.exact_copy, figures.empty) == (2, 100.0, 0.0)
    assert figures.profanity == 50.0  # one of two texts
    assert figures.profanity_or_insult == 100.0


def test_a_perfect_rewrite_scores_full_marks_with_either_reference():
    figures = score_detox(ROWS, ["The plan is bad", "you are wrong"])
    assert figures.chrf == pytest.approx(100.0)
    assert figures.profanity_or_insult == 0.0
    assert figures.exact_copy == 0.0


def test_cmd_figures_count_benign_and_unsafe_apart():
    figures = score_cmd(
        originals=["All fine.", "They are lazy.", "Vile text here."],
        references=["All fine.", "They work hard.", "Text here."],
        phrases=[(), ("lazy",), ("Vile",)],
        unsafe=[False, True, True],
        rewrites=["All fine.", "They are lazy", "Text here."],
    )
    assert (figures.n_benign, figures.benign_unchanged) == (1, 100.0)
    assert (figures.n_unsafe, figures.unsafe_unchanged) == (2, 50.0)
    assert figures.unsafe_equals_reference == 50.0
    assert figures.phrase_removed == 50.0


def test_task_answers_are_counted_apart_for_unsafe_and_benign_texts(records):
    some = [
        next(record for record in records if record.annotation is annotation)
        for annotation in (Annotation.UNSAFE, Annotation.BENIGN)
    ]
    labels = [task_completion("label", some[0]), "Bias: Perhaps"]
    figures = score_tasks(some, ["Unsafe", "Unsafe"], labels)
    assert (figures.detect_right, figures.detect_unsafe_found) == (50.0, 100.0)
    assert figures.detect_benign_cleared == 0.0
    assert (figures.labels_right, figures.labels_malformed) == (50.0, 50.0)


def test_the_deleting_baseline_leaves_no_listed_word():
    assert delete_listed("this damn plan is stupid !") == "this plan is!"
