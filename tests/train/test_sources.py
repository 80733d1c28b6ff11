import gzip
import hashlib

import pytest

from train import sources
from train.sources import SOURCES, DataError, Source, load_sentences, load_source


@pytest.fixture
def root(tmp_path, monkeypatch):
    content = gzip.compress(b"One sentence.\n\nAnother one.\n")
    (tmp_path / "few.txt.gz").write_bytes(content)
    row = Source("few", "few.txt.gz", hashlib.sha256(content).hexdigest(), "https://x.test", "CC0")
    monkeypatch.setattr(sources, "SOURCES", {"few": row})
    return tmp_path


def test_sentences_come_without_blank_lines(root):
    assert load_sentences("few", root) == ["One sentence.", "Another one."]


def test_a_changed_file_is_refused_with_its_home(root):
    (root / "few.txt.gz").write_bytes(b"other")
    with pytest.raises(DataError, match="SHA-256.*https://x.test"):
        load_source("few", root)


def test_a_missing_file_says_where_it_can_be_had(root):
    (root / "few.txt.gz").unlink()
    with pytest.raises(DataError, match="https://x.test.*--data-root"):
        load_source("few", root)


def test_every_source_has_a_checksum_a_home_and_a_licence():
    for name, source in SOURCES.items():
        assert name == source.name
        assert len(source.sha256) == 64
        assert source.home.startswith("https://")
        assert source.licence
