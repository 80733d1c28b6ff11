"""Labelled texts for the risk heads, each with the labels that its source really gives."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from srllm.records import CmdRecord
from srllm.risk.groups import words_of
from srllm.taxonomy import Annotation, Bias, Harm, Sentiment, Toxicity
from train.cmd_data import load_splits
from train.lexicon import INSULT, PROFANITY
from train.paradetox import load_rows, split_rows
from train.sources import DataError, load_sentences
from train.templates.generate import generate_records


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text and the heads it may teach; a head that is absent is unknown, not false."""

    text: str
    source: str
    split: str
    labels: Mapping[str, bool]
    weight: float = 1.0


_BENIGN = {
    "unsafe": False,
    "bias": False,
    "toxicity": False,
    "toxicity_high": False,
    "harm": False,
    "harm_high": False,
}
_PLAIN = {**_BENIGN, "negative": False}  # weak: ordinary sentences are rarely negative
_TOXIGEN_FILE = "toxigen_v2/toxiGen.json"
_HOLISTIC_FILE = "holisticbias/v1.1/descriptors.json"
_SEED = 20240
_N_TEMPLATES = 3000


def load_labelled(data_root: Path, cmd_folder: Path) -> list[LabelledText]:
    """All sources, in a fixed order; no text of a held-out split is in train as well."""
    texts = [
        *_cmd(cmd_folder),
        *_templates(),
        *_toxigen(data_root),
        *_paradetox(data_root),
        *_hatecheck(data_root),
        *_plain(data_root),
        *_bold(data_root),
        *_groups(data_root),
    ]
    held_out = {_key(row.text) for row in texts if row.split != "train"}
    return [row for row in texts if row.split != "train" or _key(row.text) not in held_out]


def _key(text: str) -> str:
    return " ".join(text.lower().split())


def hash_split(text: str) -> str:
    """ "train", "dev" or "test" (80/10/10) by the text alone, so that it never moves."""
    digest = int(hashlib.sha256(_key(text).encode()).hexdigest()[:8], 16) % 10
    return {8: "dev", 9: "test"}.get(digest, "train")


def _open(data_root: Path, path: str) -> Path:
    found = data_root / path
    if not found.is_file():
        raise DataError(
            f"No file {str(found)!r}. Point --data-root (or SRLLM_DATA_ROOT) to a folder with the "
            "data sets, laid out as the model card names them."
        )
    return found


def cmd_labels(record: CmdRecord) -> dict[str, bool]:
    """Every head's label of the original text of one CMD record."""
    return {
        "unsafe": record.annotation is Annotation.UNSAFE,
        "bias": record.bias is Bias.YES,
        "toxicity": record.toxicity is not Toxicity.NO,
        "toxicity_high": record.toxicity is Toxicity.HIGH,
        "harm": record.harm is not Harm.LOW,
        "harm_high": record.harm is Harm.HIGH,
        "negative": record.sentiment is Sentiment.NEGATIVE,
        "positive": record.sentiment is Sentiment.POSITIVE,
    }


def _cmd(folder: Path) -> Iterator[LabelledText]:
    """Originals with all labels; the benign versions of unsafe ones without sentiment."""
    for split, records in load_splits(folder).items():
        for record in records:
            yield LabelledText(record.original, "cmd", split, cmd_labels(record), weight=9.0)
            if record.annotation is Annotation.UNSAFE:
                yield LabelledText(record.benign, "cmd_rewrite", split, _BENIGN, weight=6.0)


def _templates() -> Iterator[LabelledText]:
    """Templated CMD records: the wordings that people expect, for training only."""
    for record in generate_records(_SEED, _N_TEMPLATES):
        yield LabelledText(record.original, "templates", "train", cmd_labels(record), weight=2.0)
        if record.annotation is Annotation.UNSAFE:
            yield LabelledText(record.benign, "templates", "train", _BENIGN, weight=2.0)


def _toxigen(data_root: Path) -> Iterator[LabelledText]:
    """Implicit hate and neutral statements. "hate" is bias; how toxic it is stays unknown."""
    rows = json.loads(_open(data_root, _TOXIGEN_FILE).read_text(encoding="utf-8"))
    for row in rows:
        text = " ".join(str(row["text"]).replace("_x000D_", " ").lstrip("- ").split())
        is_hate = row["label"] == "hate"
        labels = {"unsafe": True, "bias": True, "negative": True} if is_hate else _BENIGN
        if text:
            yield LabelledText(text, "toxigen", hash_split(text), labels)


def _paradetox(data_root: Path) -> Iterator[LabelledText]:
    """Rude inputs and their polite references, in the split of the rewriting models."""
    split = split_rows(load_rows(data_root))
    for name, rows in (("train", split.train), ("dev", split.dev), ("test", split.test)):
        for row in rows:
            labels = {"unsafe": True, "toxicity": True, "negative": True}
            yield LabelledText(row.toxic, "paradetox", name, labels, weight=0.5)
            for reference in row.references[:1]:
                if not (PROFANITY.search(reference) or INSULT.search(reference)):
                    polite = {"unsafe": False, "toxicity": False, "toxicity_high": False}
                    yield LabelledText(reference, "paradetox", name, polite, weight=0.5)


def _hatecheck(data_root: Path) -> Iterator[LabelledText]:
    """Hard negatives: nothing here is hate, some is rude and some quotes hate to oppose it."""
    for text in load_sentences("hatecheck", data_root):
        is_plain = not (PROFANITY.search(text) or INSULT.search(text) or '"' in text)
        labels = _BENIGN if is_plain else {"bias": False}
        yield LabelledText(text, "hatecheck", hash_split(text), labels)


def _plain(data_root: Path) -> Iterator[LabelledText]:
    """Ordinary English: chat, encyclopedia, task prompts."""
    for name, n_texts in (("topical", 4000), ("wikisplit", 3000), ("t0", 2000)):
        sentences = load_sentences(name, data_root)
        for text in random.Random(_SEED).sample(sentences, n_texts):
            is_sentence = 4 <= len(text.split()) <= 60
            if is_sentence and not (PROFANITY.search(text) or INSULT.search(text)):
                yield LabelledText(text, name, hash_split(text), _PLAIN, weight=0.7)


def _bold(data_root: Path) -> Iterator[LabelledText]:
    """Beginnings of encyclopedia sentences about people and groups."""
    prompts: list[str] = []
    for path in sorted(_open(data_root, "bold/race_prompt.json").parent.glob("*_prompt.json")):
        for by_entity in json.loads(path.read_text(encoding="utf-8")).values():
            prompts += [text.strip() for texts in by_entity.values() for text in texts]
    for text in random.Random(_SEED).sample(sorted(set(prompts)), 2500):
        yield LabelledText(text, "bold", hash_split(text), _PLAIN, weight=0.5)


# Benign sentences that name a group: {a} "a deaf person", {p} "deaf people", {d} "deaf".
# The first list trains, the second only measures.
_TRAIN_TEMPLATES = (
    "{P} welcome visitors to the open day on Sunday.",
    "The council met {p} to talk about the new bus route.",
    "My neighbour is {a} and we often cook together.",
    "I am {a}.",
    "As {a}, I would like to thank the organisers.",
    "The survey asked {p} how they use the library.",
    "Many {p} took part in the study.",
    "{P} told the reporter about the history of the street.",
    "She wrote a book about {p} in the city.",
    "A group of {p} opened a bakery next to the station.",
    "The film follows {a} who moves to the coast.",
    "The hospital hired {a} as head of the ward.",
    "{P} and their friends celebrated the holiday in the park.",
    "The club is open to everyone, including {p}.",
    "I have friends who are {p}.",
    "What do {p} think about the new rules?",
    "The law protects {p} from discrimination.",
    "{P} make up a tenth of the town.",
    "The teacher invited {a} to speak to the class.",
    "Two of my colleagues are {p}, and they lead the project.",
    "There is a support group for {p} on Tuesdays.",
    "{P} can apply for the grant until May.",
    "The number of {p} in parliament rose last year.",
    "He married {a} in the spring.",
    "The museum tells the story of {p} who worked in the mills.",
)
_HELD_OUT_TEMPLATES = (
    "The festival was organised by {p} from three districts.",
    "I spoke to {a} about the timetable.",
    "{P} often vote in local elections.",
    "Our doctor is {a}, and she has an hour free on Friday.",
    "The article describes how {p} live today.",
    "{P} were among the first to help after the flood.",
    "I grew up with {p} next door.",
    "The new app was designed together with {p}.",
)
_GROUPS = words_of(
    "women men girls boys Muslims Christians Jews Hindus Buddhists atheists immigrants refugees "
    "teenagers pensioners feminists vegans conservatives progressives lesbians nurses teachers "
    "farmers engineers artists students parents veterans Mexicans Nigerians Germans Americans "
    "Koreans Filipinos"
)
_MAX_DESCRIPTORS = 320


def _groups(data_root: Path) -> Iterator[LabelledText]:
    """Counterfactual sentences: the same words about every group, all benign."""
    rng = random.Random(_SEED)
    names = [(_singular(group), group) for group in _GROUPS]
    for descriptor in _descriptors(data_root):
        names.append((f"{_article(descriptor)} {descriptor} person", f"{descriptor} people"))
    for one, several in names:
        for split, templates in (("train", _TRAIN_TEMPLATES), ("test", _HELD_OUT_TEMPLATES)):
            for template in rng.sample(templates, 4):
                text = template.format(a=one, p=several, P=several[:1].upper() + several[1:])
                yield LabelledText(text, "groups", split, _PLAIN, weight=0.5)


def _descriptors(data_root: Path) -> list[str]:
    """Neutral descriptors of HolisticBias; those marked as dispreferred or polarising stay out."""
    axes = json.loads(_open(data_root, _HOLISTIC_FILE).read_text(encoding="utf-8"))
    found: list[str] = []
    for axis in ("ability", "age", "body_type", "nationality", "race_ethnicity", "religion"):
        found += _neutral(axes[axis])
    for axis in ("gender_and_sex", "sexual_orientation", "socioeconomic_class"):
        found += _neutral(axes[axis])
    plain = sorted({name for name in found if not (INSULT.search(name) or PROFANITY.search(name))})
    return random.Random(_SEED).sample(plain, min(len(plain), _MAX_DESCRIPTORS))


def _neutral(buckets: Mapping[str, Sequence[str | Mapping[str, str]]]) -> Iterable[str]:
    for bucket in buckets.values():
        for entry in bucket:
            if isinstance(entry, str):
                yield entry
            elif entry.get("preference") in (None, "reviewed", "preferred"):
                yield entry["descriptor"]


def _singular(group: str) -> str:
    one = {"women": "woman", "men": "man"}.get(group, group[:-1])
    return f"{_article(one)} {one}"


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"
