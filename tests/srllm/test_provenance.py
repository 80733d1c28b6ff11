from __future__ import annotations

import hashlib
import json
import subprocess

from srllm.provenance import (
    describe_run,
    describe_variant,
    digest_file,
    digest_folder,
    find_code_revision,
    find_versions,
)
from srllm.variants import PROFILES


def test_a_run_is_described_in_plain_json():
    found = json.loads(json.dumps(describe_run()))
    assert found["versions"]["numpy"] and found["python"].count(".") == 2
    assert found["hardware"]["cores"] >= 1


def test_the_revision_says_whether_tracked_files_differ(tmp_path):
    def git(*arguments: str) -> str:
        options = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        command = ["git", "-C", str(tmp_path), *options, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert find_code_revision(tmp_path / "none") == (None, None)
    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "a")
    (tmp_path / "untracked").write_text("")
    assert find_code_revision(tmp_path) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "a").write_text("2")
    assert find_code_revision(tmp_path)[1] is True


def test_libraries_that_are_missing_are_left_out():
    assert set(find_versions(["numpy", "no-such-library"])) == {"numpy"}


def test_digests_follow_the_weights_and_nothing_else(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    assert digest_file(tmp_path / "config.json") == hashlib.sha256(b"{}").hexdigest()
    first = digest_folder(tmp_path)
    (tmp_path / "README.md").write_text("a card")
    assert digest_folder(tmp_path) == first
    (tmp_path / "model.safetensors").write_bytes(b"others")
    assert digest_folder(tmp_path) != first


def test_a_variant_names_its_base_and_its_adapter():
    profile = PROFILES["embedded"]
    found = describe_variant(profile, profile.variants["safe_peft_1ep"])
    assert found["prompt"] == "compact" and found["dtype"] == "float32"
    assert str(found["adapter"]["name"]).endswith("srllm/embedded/lm/safe_peft_1ep")
    small = describe_variant(PROFILES["small"], PROFILES["small"].variants["base"])
    assert small["base_model"]["revision"] == "7ae557604adf67be50417f59c2c2f167def9a775"
    assert small["base_model"]["sha256"] is None
