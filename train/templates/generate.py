"""Draws templated CMD records: unsafe texts with fair rewrites, and benign texts to leave alone."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from srllm.records import TARGETING_NONE, TARGETING_SPECIFIC, CmdRecord
from srllm.taxonomy import Bias, Harm, Sentiment, Toxicity, annotate
from train.templates import claims, everyday, exclusion, hostility, slots
from train.templates.groups import COMPARED, GROUPS, Group
from train.word_lists import PROFANITY_PATTERN

_CLAIMS = claims.claims_by_kind()
_MAX_REDRAWS = 40  # for a text that was drawn before; then it is kept, so that n is always reached
_LOWER_CASE_SHARE = 0.12  # of the records, written all in lower case as in a chat
_NO_FULL_STOP_SHARE = 0.10
_CONTEXT_SHARE = 0.22  # of the group records, with a neutral sentence beside the claim


@dataclass(frozen=True, slots=True)
class _Draft:
    """A record before its text is finished: `marked` holds the phrases in square brackets."""

    marked: str
    benign: str  # "" for a benign text, which is its own rewrite
    bias: Bias = Bias.NO
    toxicity: Toxicity = Toxicity.NO
    sentiment: Sentiment = Sentiment.NEUTRAL
    harm: Harm = Harm.LOW
    target: str = ""
    aspect: str = ""
    reframe: str = ""


def generate_records(seed: int, n: int) -> list[CmdRecord]:
    """n templated records; the same seed gives the same records, and more of them for a larger n.

    About a quarter are benign. `register` is "template" for all of them.
    """
    if n < 0:
        raise ValueError(f"n must not be negative, got {n!r}.")
    rng = random.Random(seed)
    makers, weights = zip(*_MAKERS, strict=True)
    seen: set[str] = set()
    records: list[CmdRecord] = []
    while len(records) < n:
        for _ in range(_MAX_REDRAWS):
            draft = rng.choices(makers, weights)[0](rng)
            record = _finish(draft, rng, record_id=f"tpl-{seed}-{len(records):06d}")
            if record.original not in seen:
                break
        seen.add(record.original)
        records.append(record)
    return records


# ---- From marked text to a record


def _finish(draft: _Draft, rng: random.Random, *, record_id: str) -> CmdRecord:
    """Set capitals and articles, take out the marks, add small variation to both sides alike."""
    original, phrases = unmark(_polish(draft.marked))
    benign, _ = unmark(_polish(draft.benign)) if draft.benign else (original, ())
    if rng.random() < _LOWER_CASE_SHARE:
        original, benign = original.lower(), benign.lower()
        phrases = tuple(p.lower() for p in phrases)
    if rng.random() < _NO_FULL_STOP_SHARE:
        original, benign = _without_full_stop(original), _without_full_stop(benign)
        phrases = tuple(p if p in original else p.removesuffix(".") for p in phrases)
    return CmdRecord(
        id=record_id,
        original=original,
        bias=draft.bias,
        toxicity=draft.toxicity,
        sentiment=draft.sentiment,
        harm=draft.harm,
        benign=benign,
        annotation=annotate(draft.bias, draft.toxicity, draft.sentiment, draft.harm),
        targeting=TARGETING_SPECIFIC if draft.bias is Bias.YES else TARGETING_NONE,
        phrases=phrases,
        target=draft.target,
        aspect=draft.aspect,
        register="template",
        reframe=draft.reframe,
    )


def unmark(marked: str) -> tuple[str, tuple[str, ...]]:
    """The text without its square brackets, and the phrases that stood in them."""
    phrases = tuple(dict.fromkeys(p.strip() for p in re.findall(r"\[([^\[\]]*)\]", marked)))
    return marked.replace("[", "").replace("]", ""), tuple(p for p in phrases if p)


def _polish(marked: str) -> str:
    """One space between words, capitals at the start of sentences, "an" before a vowel."""
    text = re.sub(r" {2,}", " ", marked).strip()
    text = re.sub(r"\b([Aa]) (?=\[?(?:[aeioAEIO]|un[^i]|ug))", r"\1n ", text)
    return re.sub(r"(^|[.?!]\]? )(\[?)([a-z])", lambda m: m[1] + m[2] + m[3].upper(), text)


def _without_full_stop(text: str) -> str:
    return text[:-1] if text.endswith(".") else text


# ---- Slots


class _Values(dict[str, str]):
    """Fills slots for `str.format_map`: drawn when first used, then the same for both sides.

    `{Word}` is the value of `{word}` with a capital. A value may have slots of its own.
    """

    def __init__(self, rng: random.Random, **given: str) -> None:
        super().__init__(given)
        self._rng = rng

    def __missing__(self, name: str) -> str:
        if name[:1].isupper():
            return _capital(self[name.lower()])
        value = self._draw(name).format_map(self)
        self[name] = value
        return value

    def _draw(self, name: str) -> str:
        if name in ("he", "him"):
            self["he"], self["him"] = self._rng.choice((("he", "him"), ("she", "her")))
            return self[name]
        if name in ("i", "why"):
            self["i"], why = self._rng.choice(hostility.ISSUES)
            self["why"] = why.format_map(self)
            return self[name]
        if name == "other":
            return self._rng.choice([n for n in _WORDS_BY_SLOT["name"] if n != self["name"]])
        return self._rng.choice(_WORDS_BY_SLOT[name])


_WORDS_BY_SLOT: Mapping[str, tuple[str, ...]] = {
    **slots.SLOTS,
    **hostility.WORDS,
    "who": hostility.PERSONS,
    "deed": hostility.DEEDS,
    "act": hostility.ACTS,
    "policy": hostility.POLICIES,
    "relative": claims.RELATIVES,
}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _fill_pair(pair: tuple[str, str], values: _Values, group: Group) -> tuple[str, str]:
    """Both sides filled; the second speaks of the group with the respectful term."""
    values["gs"], values["one"] = group.plural, group.single
    unsafe = pair[0].format_map(values)
    values["gs"], values["one"] = group.polite, group.polite_single
    return unsafe, pair[1].format_map(values)


_FEMALE = re.compile(r"wom[ae]n|girl|mother|wife|wives|chick|blonde|female|lesbian|housewi")
_MALE = re.compile(r"\b(?:m[ae]n|boys?|fathers?|dads?|husbands?|male)\b")


def _values_about(rng: random.Random, group: Group) -> _Values:
    """Slots for a text about a member of the group: the name fits where the group has a gender."""
    if _FEMALE.search(group.plural):
        return _Values(rng, name=rng.choice(slots.WOMEN))
    if _MALE.search(group.plural):
        return _Values(rng, name=rng.choice(slots.MEN))
    return _Values(rng)


def _with_context(pair: tuple[str, str], rng: random.Random) -> tuple[str, str]:
    """Sometimes put a neutral sentence before or after, the same on both sides."""
    if rng.random() >= _CONTEXT_SHARE:
        return pair
    values = _Values(rng)
    if rng.random() < 0.5:
        before = rng.choice(slots.BEFORE).format_map(values)
        return f"{before} {_capital_marked(pair[0])}", f"{before} {_capital_marked(pair[1])}"
    after = rng.choice(slots.AFTER).format_map(values)
    return f"{pair[0]} {after}", f"{pair[1]} {after}"


def _capital_marked(marked: str) -> str:
    return re.sub(r"^(\[?)([a-z])", lambda m: m[1] + m[2].upper(), marked)


# ---- Unsafe texts


def _stereotype(rng: random.Random) -> _Draft:
    group = rng.choice(GROUPS)
    topic, claim = rng.choice(_CLAIMS[group.kind])
    # The plain frame is the most frequent way to say such things.
    frame = claims.FRAMES[0] if rng.random() < 0.2 else rng.choice(claims.FRAMES)
    takes_quantifier = not group.plural.startswith("the ")
    values = _Values(
        rng,
        p=claim.unsafe,
        b=claim.benign,
        q=rng.choice(claims.QUANTIFIERS) if takes_quantifier and rng.random() < 0.4 else "",
        lead=rng.choice(claims.LEADS),
        opinion=rng.choice(claims.OPINION_LEADS),
        t=rng.choice(claims.TAILS) if rng.random() < 0.5 else "",
    )
    unsafe, benign = _with_context(_fill_pair(frame, values, group), rng)
    return _Draft(
        marked=unsafe,
        benign=benign,
        bias=Bias.YES,
        toxicity=claim.toxicity,
        sentiment=Sentiment.NEGATIVE,
        harm=claim.harm,
        target=group.polite,
        aspect=topic,
        reframe="reframe",
    )


def _comparison(rng: random.Random) -> _Draft:
    a, b = rng.choice(COMPARED)
    values = _Values(rng, a=a, b=b, f=rng.choice(claims.FIELDS))
    pair = rng.choice(claims.COMPARISONS)
    if rng.random() < 0.3 and pair[0][:1] == "{":
        pair = (rng.choice(claims.LEADS) + pair[0], pair[1])
    filled = (pair[0].format_map(values), pair[1].format_map(values))
    unsafe, benign = _with_context(filled, rng)
    return _Draft(
        marked=unsafe,
        benign=benign,
        bias=Bias.YES,
        sentiment=Sentiment.NEGATIVE,
        harm=Harm.MEDIUM,
        target=a,
        aspect="skills",
        reframe="reframe",
    )


def _exclusion(rng: random.Random) -> _Draft:
    pattern = rng.choice(exclusion.EXCLUSION)
    needs_single = "{one}" in pattern.unsafe.lower()
    group = rng.choice([g for g in GROUPS if g.single or not needs_single])
    filled = _fill_pair((pattern.unsafe, pattern.benign), _values_about(rng, group), group)
    unsafe, benign = _with_context(filled, rng)
    return _Draft(
        marked=unsafe,
        benign=benign,
        bias=Bias.YES,
        toxicity=pattern.toxicity,
        sentiment=Sentiment.NEGATIVE,
        harm=pattern.harm,
        target=group.polite,
        aspect="exclusion",
        reframe="reframe",
    )


def _person_insult(rng: random.Random) -> _Draft:
    return _abuse(rng.choice(hostility.PERSON_INSULTS), rng, aspect="insult")


def _opinion(rng: random.Random) -> _Draft:
    return _abuse(rng.choice(hostility.OPINIONS), rng, aspect="opinion")


def _to_you(rng: random.Random) -> _Draft:
    return _abuse(rng.choice(hostility.TO_YOU), rng, aspect="insult")


def _abuse(pair: tuple[str, str], rng: random.Random, *, aspect: str) -> _Draft:
    """Rude words without a group: toxic in any case, highly so with profanity against people."""
    values = _Values(rng)
    marked, benign = (side.format_map(values) for side in pair)
    is_happy = any(word in pair[1] for word in ("love", "great", "best"))
    is_profane = PROFANITY_PATTERN.search(marked) is not None
    is_high = is_profane and not is_happy and aspect == "insult"
    return _Draft(
        marked=marked,
        benign=benign,
        toxicity=Toxicity.HIGH if is_high else Toxicity.MILD,
        sentiment=Sentiment.POSITIVE if is_happy else Sentiment.NEGATIVE,
        harm=Harm.MEDIUM if is_high else Harm.LOW,
        aspect=aspect,
        reframe="edit",
    )


def _threat(rng: random.Random) -> _Draft:
    values = _Values(rng)
    marked, benign = (side.format_map(values) for side in rng.choice(hostility.THREATS))
    return _Draft(
        marked=marked,
        benign=benign,
        toxicity=Toxicity.HIGH,
        sentiment=Sentiment.NEGATIVE,
        harm=Harm.HIGH,
        aspect="threat",
        reframe="edit",
    )


def _group_threat(rng: random.Random) -> _Draft:
    group = rng.choice(GROUPS)
    pair = rng.choice(hostility.GROUP_THREATS)
    marked, benign = _with_context(_fill_pair(pair, _Values(rng), group), rng)
    return _Draft(
        marked=marked,
        benign=benign,
        bias=Bias.YES,
        toxicity=Toxicity.HIGH,
        sentiment=Sentiment.NEGATIVE,
        harm=Harm.HIGH,
        target=group.polite,
        aspect="threat",
        reframe="reframe",
    )


def _cursed(rng: random.Random) -> _Draft:
    """Profanity around or inside a sentence that is fine without it."""
    values = _Values(rng)
    template = rng.choice(hostility.CURSED)
    plain = " ".join(template.replace("{x}", "").split()).format_map(values)
    values["x"] = f"[{values['curse']}]"
    marked = template.format_map(values)
    if rng.random() < 0.4:
        oath, kept = rng.choice(hostility.OATHS)
        inside = plain if rng.random() < 0.6 else marked
        # A name keeps its capital after a comma; the other first words here do not.
        starts_with_name = plain.split()[0].rstrip("'s") in slots.SLOTS["name"]
        low = (
            inside
            if starts_with_name or plain.startswith("I ")
            else inside[:1].lower() + inside[1:]
        )
        values["s"], values["low"] = inside, low
        marked = oath.format_map(values)
        plain = kept.format_map({"s": plain})
    is_happy = any(word in plain for word in ("best", "Happy", "good"))
    return _Draft(
        marked=marked,
        benign=plain,
        toxicity=Toxicity.MILD,
        sentiment=Sentiment.POSITIVE if is_happy else Sentiment.NEGATIVE,
        aspect="profanity",
        reframe="edit",
    )


# ---- Benign texts


def _group_news(rng: random.Random) -> _Draft:
    group = rng.choice(GROUPS)
    text = rng.choice(everyday.GROUP_NEWS).format_map(_Values(rng, gs=group.polite))
    return _Draft(marked=text, benign="", target=group.polite, aspect=group.kind)


def _rejected_claim(rng: random.Random) -> _Draft:
    """A claim that is quoted to be denied: it names the prejudice and is not one."""
    group = rng.choice(GROUPS)
    mild = [(t, c) for t, c in _CLAIMS[group.kind] if c.toxicity is not Toxicity.HIGH]
    topic, claim = rng.choice(mild)
    values = _Values(rng, gs=group.polite, claim=unmark(claim.unsafe)[0])
    text = rng.choice(everyday.REJECTED).format_map(values)
    return _Draft(marked=text, benign="", target=group.polite, aspect=topic)


def _fair_complaint(rng: random.Random) -> _Draft:
    text = rng.choice(everyday.FAIR_COMPLAINTS).format_map(_Values(rng))
    return _Draft(marked=text, benign="", sentiment=Sentiment.NEGATIVE, aspect="complaint")


def _heated(rng: random.Random) -> _Draft:
    text = rng.choice(everyday.HEATED_BUT_HARMLESS).format_map(_Values(rng))
    return _Draft(marked=text, benign="", aspect="figurative language")


def _small_talk(rng: random.Random) -> _Draft:
    text = rng.choice(everyday.SMALL_TALK).format_map(_Values(rng))
    return _Draft(marked=text, benign="", aspect="everyday")


def _safe_already(rng: random.Random) -> _Draft:
    """The fair version of an unsafe text, as an input: rewriting twice must change nothing."""
    draft = rng.choice((_stereotype, _comparison, _exclusion, _person_insult, _opinion, _threat))(
        rng
    )
    return _Draft(marked=draft.benign, benign="", target=draft.target, aspect=draft.aspect)


# Weights are percent; the benign makers add up to 25.
_MAKERS: tuple[tuple[Callable[[random.Random], _Draft], float], ...] = (
    (_stereotype, 22),
    (_comparison, 6),
    (_exclusion, 13),
    (_person_insult, 8),
    (_opinion, 8),
    (_to_you, 5),
    (_threat, 6),
    (_group_threat, 3),
    (_cursed, 4),
    (_group_news, 6),
    (_rejected_claim, 3),
    (_fair_complaint, 5),
    (_heated, 3),
    (_small_talk, 3),
    (_safe_already, 5),
)
