import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from srllm.errors import InputError
from srllm.records import CmdRecord
from srllm.taxonomy import Annotation, Bias, Harm, Sentiment, Toxicity
from train import cmd_data

ROOT = Path(__file__).parents[2]
SEED_FOLDER = Path(os.environ.get("SRLLM_DATA_ROOT") or ROOT / "../shared/data") / "cmd_seed"
WORDS = ("harbour", "lantern", "copper", "willow", "marble", "thunder", "saddle", "pepper")


def make_record(number: int, text: str = "", *, unsafe: bool = True) -> CmdRecord:
    """A record whose words are its own, unless a text is given."""
    text = text or " ".join(f"{word}{number}" for word in WORDS)
    return CmdRecord(
        id=f"t-{number}",
        original=text,
        bias=Bias.YES if unsafe else Bias.NO,
        toxicity=Toxicity.NO,
        sentiment=Sentiment.NEGATIVE,
        harm=Harm.MEDIUM if unsafe else Harm.LOW,
        benign=f"kindly{number} " + " ".join(f"fair{number}{c}" for c in "abc") if unsafe else text,
        annotation=Annotation.UNSAFE if unsafe else Annotation.BENIGN,
        phrases=(text.split()[0],) if unsafe else (),
    )


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def shipped() -> dict[str, list[CmdRecord]]:
    return cmd_data.load_splits(ROOT / "data/cmd")


def test_load_returns_the_records_in_order(tmp_path: Path) -> None:
    records = [make_record(2), make_record(1, unsafe=False)]
    path = write_rows(tmp_path / "x.jsonl", [r.to_json() for r in records])
    assert cmd_data.load_cmd(path) == records


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"BIAS": "Perhaps"}, "row 2.*bad value"),
        ({"Annotation": "Benign"}, "row 2.*ANNOT rule"),
        ({"WORDS_OR_PHRASES": ["not there"]}, "row 2.*not in its text"),
        ({"Original_Sentence": " "}, "row 2.*bad value"),
        ({"ID": "t-1"}, "row 2.*used in row 1"),
    ],
)
def test_load_names_the_row_of_an_error(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    rows = [make_record(1).to_json(), {**make_record(2).to_json(), **change}]
    with pytest.raises(InputError, match=message):
        cmd_data.load_cmd(write_rows(tmp_path / "x.jsonl", rows))


def test_load_refuses_an_unsafe_record_that_repeats_its_text(tmp_path: Path) -> None:
    record = make_record(1)
    row = replace(record, benign=record.original).to_json()
    with pytest.raises(InputError, match="row 1.*Benign repeats the original"):
        cmd_data.load_cmd(write_rows(tmp_path / "x.jsonl", [row]))


def test_load_refuses_a_benign_record_with_another_text(tmp_path: Path) -> None:
    row = replace(make_record(1, unsafe=False), benign="Something else.").to_json()
    with pytest.raises(InputError, match="row 1.*must repeat the original"):
        cmd_data.load_cmd(write_rows(tmp_path / "x.jsonl", [row]))


@pytest.mark.parametrize(("line", "message"), [("{", "not JSON"), ("[1]", "object"), ("", "JSON")])
def test_load_refuses_a_line_that_is_no_object(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(make_record(1).to_json()) + f"\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"row 2.*{message}"):
        cmd_data.load_cmd(path)


def test_load_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent.jsonl"):
        cmd_data.load_cmd(tmp_path / "absent.jsonl")


def test_text_hash_ignores_case_punctuation_and_spacing() -> None:
    assert cmd_data.text_hash("Don\u2019t  go, Tom!") == cmd_data.text_hash("don't go tom")
    assert cmd_data.text_hash("Don't go, Tom!") != cmd_data.text_hash("Do go, Tom!")


def test_near_same_measures_shared_word_pairs() -> None:
    # Word pairs: (a,b) (b,c) (c,d) and (a,b) (b,c) (c,e): 2 shared of 4 together.
    first = make_record(1, "a b c d", unsafe=False)
    second = make_record(2, "A, b c e!", unsafe=False)
    found = cmd_data.find_near_same([first, second, make_record(3)])
    assert found == [cmd_data.NearSame("t-1", "t-2", 0.5)]


def test_near_same_compares_benign_texts_too() -> None:
    first = make_record(1)
    second = replace(make_record(2), benign=first.original)
    assert cmd_data.find_near_same([first, second])[0].similarity == 1.0


def test_near_same_finds_equal_texts_of_one_word() -> None:
    first, second = (make_record(n, "Hello", unsafe=False) for n in (1, 2))
    assert len(cmd_data.find_near_same([first, second])) == 1


def test_split_keeps_the_shares_in_every_stratum() -> None:
    records = [make_record(n, unsafe=n % 3 > 0) for n in range(300)]
    splits = cmd_data.split_records(records, seed=5)
    # 200 unsafe and 100 benign: 80%, 8% and 12% of each.
    for name, n_unsafe, n_benign in (("train", 160, 80), ("dev", 16, 8), ("test", 24, 12)):
        unsafe = [r for r in splits[name] if r.annotation is Annotation.UNSAFE]
        assert len(unsafe) == pytest.approx(n_unsafe, abs=1)
        assert len(splits[name]) - len(unsafe) == pytest.approx(n_benign, abs=1)
    assert sorted(r.id for part in splits.values() for r in part) == sorted(r.id for r in records)


def test_split_depends_on_the_seed_and_not_on_the_order() -> None:
    records = [make_record(n) for n in range(60)]
    splits = cmd_data.split_records(records, seed=5)
    assert cmd_data.split_records(records[::-1], seed=5) == splits
    assert cmd_data.split_records(records, seed=6) != splits


def test_split_keeps_near_same_records_together() -> None:
    text = " ".join(WORDS)
    records = [make_record(n) for n in range(40)]
    records += [make_record(40 + n, f"{text} {n}") for n in range(8)]
    splits = cmd_data.split_records(records, seed=1)
    homes = {name for name, part in splits.items() for r in part if r.original.startswith(text)}
    assert len(homes) == 1
    assert cmd_data.find_leaks(splits) == []


def test_split_refuses_shares_that_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        cmd_data.split_records([make_record(1)], seed=1, shares={"train": 0.5})


def test_find_leaks_names_the_pair() -> None:
    first, second = make_record(1, "a b c d", unsafe=False), make_record(2, "a b c", unsafe=False)
    leaks = cmd_data.find_leaks({"train": [first], "test": [second]})
    assert [(leak.first_id, leak.second_id) for leak in leaks] == [("t-1", "t-2")]
    assert cmd_data.find_leaks({"train": [first, second], "test": []}) == []


def test_find_leaks_refuses_a_record_in_two_splits() -> None:
    with pytest.raises(InputError, match="'t-1' occurs more than once"):
        cmd_data.find_leaks({"train": [make_record(1)], "test": [make_record(1)]})


def test_more_records_go_to_train_and_dev_and_move_nothing() -> None:
    seed = [make_record(n) for n in range(100)]
    more = [replace(make_record(n), id=f"m-{n}") for n in range(200, 250)]
    alone, both = cmd_data.build_splits(seed), cmd_data.build_splits(seed, more)
    assert both["test"] == alone["test"]
    for name in ("train", "dev"):
        assert both[name][: len(alone[name])] == alone[name]
        assert len(both[name]) > len(alone[name])


def test_more_records_near_a_test_record_are_refused() -> None:
    seed = [make_record(n) for n in range(100)]
    taken = cmd_data.build_splits(seed)["test"][0]
    with pytest.raises(InputError, match=taken.id):
        cmd_data.build_splits(seed, [replace(taken, id="m-1")])


@pytest.mark.parametrize(
    ("written", "even"),
    [("Immigrants", "immigrants"), ("Jews", "Jews"), ("Mexican people", "Mexicans"), ("", "")],
)
def test_targets_are_worded_evenly(written: str, even: str) -> None:
    assert cmd_data.normalise_target(written) == even


def test_normalise_changes_no_text_and_no_label() -> None:
    records = [replace(make_record(1), target="Vegans", aspect="Denial of housing")]
    (even,) = cmd_data.normalise(records)
    assert replace(even, target="Vegans", aspect="Denial of housing") == records[0]
    assert (even.target, even.aspect) == ("vegans", "housing")


def test_a_benign_record_that_names_a_group_carries_it() -> None:
    unsafe = replace(make_record(1), target="Nurses", targeting="Specific Demographics")
    benign = make_record(2, "The nurses are on strike.", unsafe=False)
    assert cmd_data.normalise([unsafe, benign])[1].target == "Nurses"
    assert cmd_data.normalise([unsafe, benign])[1].targeting == "None"


def test_ids_sort_by_their_numbers() -> None:
    ids = ["cmd-c10-1", "cmd-2-10", "cmd-2-9", "cmd-c2-1"]
    assert sorted(ids, key=cmd_data.id_key) == ["cmd-2-9", "cmd-2-10", "cmd-c2-1", "cmd-c10-1"]


def test_the_table_counts_every_class() -> None:
    table = cmd_data.describe_splits({"train": [make_record(1)], "dev": [], "test": []})
    assert "| records | 1 | 0 | 0 | 1 |" in table
    assert "| harm: Medium | 1 | 0 | 0 | 1 |" in table
    assert "| annotation: Benign | 0 | 0 | 0 | 0 |" in table


def test_shipped_records_have_no_near_same_texts_across_splits(
    shipped: dict[str, list[CmdRecord]],
) -> None:
    assert cmd_data.find_leaks(shipped) == []


def test_shipped_test_split_holds_no_record_of_the_later_file(
    shipped: dict[str, list[CmdRecord]],
) -> None:
    more = cmd_data.load_cmd(ROOT / "data/cmd" / cmd_data.MORE_FILE)
    assert more and not {r.id for r in more} & {r.id for r in shipped["test"]}
    assert {r.id for r in more} <= {r.id for name in ("train", "dev") for r in shipped[name]}


def test_shipped_splits_are_rebuilt_byte_for_byte() -> None:
    if not (SEED_FOLDER / "records.jsonl").exists():
        pytest.skip(f"the seed files are not at {SEED_FOLDER}; set SRLLM_DATA_ROOT to their parent")
    parser = argparse.ArgumentParser()
    cmd_data.add_arguments(parser)
    folder = str(ROOT / "data/cmd")
    arguments = ["--seed-folder", str(SEED_FOLDER), "--output", folder, "--check"]
    assert cmd_data.run(parser.parse_args(arguments)) == 0


def test_the_command_writes_the_splits_and_check_notices_a_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed_folder, output = tmp_path / "seed", tmp_path / "out"
    seed_folder.mkdir()
    records = [make_record(n).to_json() for n in range(60)]
    write_rows(seed_folder / "records.jsonl", records[:30])
    write_rows(seed_folder / "compact.jsonl", records[30:])
    parser = argparse.ArgumentParser()
    cmd_data.add_arguments(parser)
    arguments = ["--seed-folder", str(seed_folder), "--output", str(output)]
    assert cmd_data.run(parser.parse_args(arguments)) == 0
    assert "| records | 48 | 5 | 7 | 60 |" in capsys.readouterr().out
    assert cmd_data.run(parser.parse_args([*arguments, "--check"])) == 0
    (output / "dev.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="dev.jsonl"):
        cmd_data.run(parser.parse_args([*arguments, "--check"]))
