import json
import stat
import threading

from srllm.kept_texts import KeptTexts
from srllm.rewriter import Rewriter
from srllm.settings import Settings


def test_nothing_is_created_before_somebody_agrees(tmp_path):
    KeptTexts(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_kept_text_can_be_read_back_and_only_by_the_owner(tmp_path):
    kept = KeptTexts(tmp_path / "data")
    rewriter = Rewriter.from_settings(Settings(profile="echo"))
    rewrites = rewriter.rewrite("What an idiot.", ["base"])
    kept.keep("What an idiot. é \n two", rewrites, profile="echo")
    [row] = [json.loads(line) for line in kept.path.read_text(encoding="utf-8").splitlines()]
    assert row["text"] == "What an idiot. é \n two"
    assert row["profile"] == "echo"
    assert row["rewrites"][0]["text"] == "What an person."
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600


def test_texts_kept_at_once_do_not_mix(tmp_path):
    kept = KeptTexts(tmp_path)
    threads = [
        threading.Thread(target=kept.keep, args=(str(n) * 5000, ()), kwargs={"profile": "echo"})
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = [json.loads(line) for line in kept.path.read_text(encoding="utf-8").splitlines()]
    assert sorted(row["text"][0] for row in rows) == list("01234567")
