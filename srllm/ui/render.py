"""Fragments of HTML for the pages: values in, escaped HTML out. Nothing here knows Gradio."""

from __future__ import annotations

import json
import shlex
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

from srllm.diff import DiffKind, word_diff
from srllm.records import Category, Outcome, Rewrite, RiskReport, RiskSpan
from srllm.taxonomy import Bias, Harm, Toxicity
from srllm.variants import Variant

# Characters that order or hide other characters. They are shown by name, never obeyed.
_NAMED = {
    "\u061c": "ALM",
    "\u200b": "ZWSP",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u2028": "LS",
    "\u2029": "PS",
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2060": "WJ",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
    "\ufeff": "BOM",
}
_CATEGORY_WORDS = {
    Category.BIAS: "bias",
    Category.TOXICITY: "toxicity",
    Category.HARM: "harm",
    Category.NEGATIVE: "negative",
    Category.UNSAFE: "unsafe",
}
_ICON_PATHS = {
    "check": "M3.5 8.5l3 3 6-7",
    "dash": "M4 8h8",
    "equals": "M4 6h8M4 10h8",
    "stop": "M5 5l6 6M11 5l-6 6",
    "cut": "M4 4v8M7 8h6M11 6l2 2-2 2",
    "alert": "M8 4v5M8 11.5v.5",
}
_OUTCOMES = {  # icon, tone
    Outcome.REWRITTEN: ("check", "safe"),
    Outcome.GUIDED: ("check", "safe"),
    Outcome.ALREADY_BENIGN: ("equals", "neutral"),
    Outcome.NO_SAFE_REWRITE: ("alert", "unsafe"),
    Outcome.REFUSED: ("stop", "caution"),
    Outcome.CUT_OFF: ("cut", "caution"),
}
_GUIDED_NOTE = "The first answer was still unsafe; the flagged phrases were ruled out."


def clean_text(text: str) -> str:
    """The text with lone surrogates, which no file and no answer can hold, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def visible(text: str) -> str:
    """Escaped text; control and direction characters are shown by name instead of obeyed."""
    pieces: list[str] = []
    for character in clean_text(text).replace("\r\n", "\n"):
        name = _NAMED.get(character)
        if character in "\n\t" or (name is None and not _is_control(character)):
            pieces.append(escape(character))
            continue
        code = f"U+{ord(character):04X}"
        shown = name or (chr(0x2400 + ord(character)) if ord(character) < 32 else code)
        pieces.append(f'<span class="sr-ctl" title="{code}">{shown}</span>')
    return "".join(pieces)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"


def icon(name: str) -> str:
    return (
        '<svg class="sr-icon" viewBox="0 0 16 16" aria-hidden="true">'
        f'<path d="{_ICON_PATHS[name]}"/></svg>'
    )


def message(sentence: str, *, tone: str = "neutral") -> str:
    """One sentence at its place; `tone` "unsafe" is announced at once by a screen reader."""
    if not sentence:
        return ""
    role, mark = (' role="alert"', icon("alert")) if tone == "unsafe" else ("", "")
    shown = f"<span>{visible(sentence)}</span>"
    return f'<p class="sr-message sr-{tone}"{role}>{mark}{shown}</p>'


def score_text(score: float) -> str:
    """A probability with two digits; never "1.00" for what is not certain."""
    if score != score:
        return "no score"
    return f"{min(max(score, 0.0), 0.99):.2f}" if score < 1.0 else "1.00"


def _overall_tone(report: RiskReport) -> str:
    if report.unsafe != report.unsafe:
        return "neutral"
    return "unsafe" if report.is_unsafe else "safe"


def risk_bar(name: str, score: float, word: str, tone: str) -> str:
    """Name, bar, number and word of one score; the bar is an image with a text for readers."""
    return (
        f'<div class="sr-risk sr-{tone}"><span class="sr-risk-name">{escape(name)}</span>'
        f'<span class="sr-bar" role="img" aria-label="{score_text(score)} of 1">'
        f'<i style="width:{_percent(score)}%"></i></span>'
        f'<span class="sr-num">{score_text(score)}</span>'
        f'<span class="sr-word">{escape(word)}</span></div>'
    )


_FOUND_HEAD = (
    '<div class="sr-row"><h2>What was found</h2><button type="button" class="sr-tool" '
    'data-act="link">Copy link to this text</button></div>'
)


_REWRITES_HEAD = '<h2 class="sr-hidden">Rewrites</h2>'


def found_empty() -> str:
    """The place of the findings before there are any; as high as with them."""
    names = ("Overall", "Toxicity", "Bias", "Harm")
    bars = "".join(
        f'<div class="sr-risk sr-blank"><span class="sr-risk-name">{name}</span>'
        '<span class="sr-bar"></span><span class="sr-num"></span>'
        '<span class="sr-word"></span></div>'
        for name in names
    )
    return (
        '<section class="sr-found sr-is-empty" aria-label="What was found">'
        f'{_FOUND_HEAD}<div class="sr-risks">{bars}'
        '<div class="sr-sentiment"><span class="sr-risk-name">Sentiment</span></div></div>'
        '<p class="sr-marked">Unsafe phrases of your text will be marked here.</p></section>'
        f"{_REWRITES_HEAD}"
    )


def found(text: str, report: RiskReport) -> str:
    """What the detector says of the original: scores with words, and the phrases marked."""
    overall = ("unsafe", "unsafe") if report.is_unsafe else ("safe", "safe")
    bars = "".join(
        risk_bar(name, report.scores.get(category, float("nan")), word, tone)
        for name, category, (word, tone) in (
            ("Overall", Category.UNSAFE, overall),
            ("Toxicity", Category.TOXICITY, _TOXICITY[report.toxicity]),
            ("Bias", Category.BIAS, _BIAS[report.bias]),
            ("Harm", Category.HARM, _HARM[report.harm]),
        )
    )
    sentiment = report.sentiment.value.lower()
    return (
        '<section class="sr-found" aria-label="What was found">'
        f'{_FOUND_HEAD}<div class="sr-risks">{bars}'
        '<div class="sr-sentiment"><span class="sr-risk-name">Sentiment</span>'
        f'<span class="sr-word">{sentiment}</span></div></div>'
        f'<p class="sr-marked" dir="auto">{marked(text, report.spans)}</p></section>'
        f"{_REWRITES_HEAD}"
    )


_TOXICITY = {  # word, tone
    Toxicity.NO: ("none", "safe"),
    Toxicity.MILD: ("mild", "caution"),
    Toxicity.HIGH: ("high", "unsafe"),
}
_BIAS = {Bias.NO: ("no", "safe"), Bias.YES: ("yes", "unsafe")}
_HARM = {
    Harm.LOW: ("low", "safe"),
    Harm.MEDIUM: ("medium", "caution"),
    Harm.HIGH: ("high", "unsafe"),
}


def marked(text: str, spans: Sequence[RiskSpan]) -> str:
    """The text with flagged phrases marked and labelled by category, in words."""
    pieces: list[str] = []
    at = 0
    for span in spans:
        start, end = max(span.start, at), min(span.end, len(text))
        if start >= end:
            continue
        pieces.append(visible(text[at:start]))
        word = _CATEGORY_WORDS[span.category]
        pieces.append(
            f'<mark class="sr-mark sr-cat-{span.category.value}"><bdi>{visible(text[start:end])}'
            f'</bdi><small><span class="sr-hidden"> (</span>{word}'
            '<span class="sr-hidden">)</span></small></mark>'
        )
        at = end
    pieces.append(visible(text[at:]))
    return "".join(pieces)


def difference(original: str, rewrite: str) -> str:
    """Word difference: removed struck through, added underlined (tags that readers know)."""
    pieces: list[str] = []
    for part in word_diff(original, rewrite):
        shown = visible(part.text)
        if part.kind is DiffKind.REMOVED:
            pieces.append(f"<del>{shown}</del>")
        elif part.kind is DiffKind.ADDED:
            pieces.append(f"<ins>{shown}</ins>")
        else:
            pieces.append(shown)
    return "".join(pieces)


def column_head(variant: Variant) -> str:
    return (
        f"<header><h3>{visible(variant.label)}</h3>"
        f'<p class="sr-about">{visible(variant.description)}</p></header>'
    )


def column(variant: Variant, body: str, *, state: str, foot: str = "") -> str:
    """The frame of one column: always the same parts, so that nothing jumps."""
    busy = "true" if state in ("waiting", "writing", "guiding") else "false"
    return (
        f'<article class="sr-column" data-state="{state}" data-variant="{escape(variant.name)}" '
        f'aria-label="{escape(clean_text(variant.label))}" aria-busy="{busy}">'
        f'{column_head(variant)}<div class="sr-body">{body}</div>'
        f'<footer class="sr-foot">{foot}</footer></article>'
    )


def column_empty(variant: Variant) -> str:
    return column(variant, '<p class="sr-quiet">The rewrite appears here.</p>', state="empty")


def column_writing(variant: Variant, text: str, state: str, note: str) -> str:
    """A column while tokens arrive; `note` says in words what is going on."""
    body = f'<p class="sr-text" dir="auto">{visible(text)}<span class="sr-caret"></span></p>'
    return column(variant, body, state=state, foot=f'<p class="sr-note">{escape(note)}</p>')


def column_failed(variant: Variant, error: str) -> str:
    return column(variant, message(error, tone="unsafe"), state="failed")


def column_stopped(variant: Variant, text: str) -> str:
    body = f'<p class="sr-text" dir="auto">{visible(text)}</p>' if text else ""
    return column(variant, body, state="stopped", foot='<p class="sr-note">Cancelled.</p>')


def outcome_badge(outcome: Outcome) -> str:
    name, tone = _OUTCOMES[outcome]
    return f'<p class="sr-badge sr-{tone}">{icon(name)}<span>{escape(outcome.label)}</span></p>'


def column_done(variant: Variant, rewrite: Rewrite) -> str:
    """The finished rewrite with everything that is known about it."""
    body = [
        f'<p class="sr-text" dir="auto">{visible(rewrite.text)}</p>'
        f'<p class="sr-text sr-diff" dir="auto">{difference(rewrite.original, rewrite.text)}</p>'
    ]
    if rewrite.outcome is Outcome.NO_SAFE_REWRITE:
        body.append(_no_safe_rewrite(rewrite))
    body.append(_insights(rewrite))
    foot = outcome_badge(rewrite.outcome) + _before_after(rewrite) + _column_tools(variant, rewrite)
    return column(variant, "".join(body), state="done", foot=foot)


def _no_safe_rewrite(rewrite: Rewrite) -> str:
    report = rewrite.after if rewrite.after.spans else rewrite.before
    source = rewrite.text if report is rewrite.after else rewrite.original
    phrases = dict.fromkeys(source[span.start : span.end] for span in report.spans)
    parts = []
    if phrases:
        listed = ", ".join(f"<q>{visible(phrase)}</q>" for phrase in phrases)
        parts.append(f'<p class="sr-flagged">Still flagged: {listed}</p>')
    if rewrite.suggestion:
        parts.append(
            '<div class="sr-suggestion"><h4>Without the flagged phrases</h4>'
            f'<p class="sr-text" dir="auto">{visible(rewrite.suggestion)}</p>'
            f"{copy_button(rewrite.suggestion, 'Copy this version')}</div>"
        )
    return "".join(parts)


def _before_after(rewrite: Rewrite) -> str:
    before, after = rewrite.before, rewrite.after
    rows = "".join(
        f'<span class="sr-ba sr-{_overall_tone(report)}">'
        f'<span class="sr-hidden">{word} </span><span class="sr-bar" aria-hidden="true">'
        f'<i style="width:{_percent(report.unsafe)}%"></i></span>'
        f'<span class="sr-num">{score_text(report.unsafe)}</span></span>'
        f"{arrow}"
        for word, report, arrow in (
            ("before", before, '<span aria-hidden="true">→</span>'),
            ("after", after, ""),
        )
    )
    return (
        f'<div class="sr-effect"><span class="sr-risk-name">Risk</span>{rows}'
        f'<span class="sr-time">{duration(rewrite.elapsed_s)}</span></div>'
    )


def _percent(score: float) -> float:
    return 0.0 if score != score else round(100 * min(max(score, 0.0), 1.0), 1)


def _insights(rewrite: Rewrite) -> str:
    notes = [insight.message for insight in rewrite.insights]
    if rewrite.outcome is Outcome.GUIDED:
        notes.insert(0, _GUIDED_NOTE)
    if not notes:
        return ""
    items = "".join(f"<li>{visible(note)}</li>" for note in notes)
    return f'<ul class="sr-insights">{items}</ul>'


def _column_tools(variant: Variant, rewrite: Rewrite) -> str:
    label = escape(clean_text(variant.label))
    toggle = ""
    if rewrite.text.strip() != rewrite.original.strip():
        toggle = (
            '<button type="button" class="sr-tool" data-act="changes" aria-pressed="false" '
            f'aria-label="Changes, {label}">Changes</button>'
        )
    return f'<div class="sr-tools">{toggle}{copy_button(rewrite.text, "Copy", label)}</div>'


def copy_button(text: str, word: str, of: str = "") -> str:
    name = f' aria-label="{word}, {of}"' if of else ""
    return (
        f'<button type="button" class="sr-tool" data-act="copy"{name} '
        f'data-copy="{escape(clean_text(text))}">{escape(word)}</button>'
    )


def duration(seconds: float) -> str:
    """A time for readers: 0.3 s, 12 s, 3 min 20 s."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def token_count(n_tokens: int, limit: int) -> str:
    over = n_tokens > limit
    tail = f", {n_tokens - limit:,} too many" if over else ""
    tone = " sr-unsafe" if over else ""
    return f'<p class="sr-tokens{tone}">{n_tokens:,} of {limit:,} tokens{tail}</p>'


def json_panel(text: str, rewrites: Iterable[Rewrite], address: str) -> str:
    """The results as the JSON interface gives them, and the command that asks for them."""
    command = (
        f"curl -s {shlex.quote(address + '/api/rewrite')} -H 'Content-Type: application/json' "
        f"-d {shlex.quote(json.dumps({'text': clean_text(text)}, ensure_ascii=True))}"
    )
    rows = json.dumps(
        {"text": text, "rewrites": [rewrite.to_json() for rewrite in rewrites]},
        indent=2,
        ensure_ascii=True,  # what is hidden in a text is readable in an escape
    )
    return (
        '<div class="sr-code"><h4>Ask for it from a shell</h4>'
        f'<pre tabindex="0">{escape(command)}</pre>'
        f"{copy_button(command, 'Copy command')}</div>"
        f'<div class="sr-code"><h4>Answer</h4><pre tabindex="0">{escape(rows)}</pre>'
        f"{copy_button(rows, 'Copy JSON')}</div>"
    )


def progress(n_done: int, n_all: int, elapsed_s: float, n_failed: int = 0) -> str:
    """How far a batch is, and how long it still takes."""
    percent = round(100 * n_done / n_all, 1) if n_all else 0.0
    rest = ""
    if 0 < n_done < n_all:
        rest = f", about {duration(elapsed_s / n_done * (n_all - n_done))} left"
    failed = f", {n_failed:,} could not be rewritten" if n_failed else ""
    return (
        f'<div class="sr-progress"><span class="sr-bar" role="progressbar" aria-valuemin="0" '
        f'aria-valuemax="{n_all}" aria-valuenow="{n_done}" aria-label="Texts rewritten">'
        f'<i style="width:{percent}%"></i></span>'
        f"<p>{n_done:,} of {n_all:,} texts{failed}{rest}</p></div>"
    )


def preview(
    rows: Sequence[tuple[str, Sequence[Rewrite] | str]], labels: Sequence[str], n_all: int
) -> str:
    """The first rows of a batch: the original and each variant's rewrite with its outcome."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{visible(label)}</th>' for label in ("Original", *labels))
    lines = "".join(_preview_row(text, rewrites, len(labels)) for text, rewrites in rows)
    note = (
        f"<p>The first {len(rows):,} of {n_all:,}; the files hold all.</p>"
        if (len(rows) < n_all)
        else ""
    )
    return (
        f'<div class="sr-preview" tabindex="0" role="region" aria-label="Rewrites of many texts">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>{note}"
    )


def _preview_row(text: str, rewrites: Sequence[Rewrite] | str, n_columns: int) -> str:
    first = f'<td dir="auto">{visible(text)}</td>'
    if isinstance(rewrites, str):
        cell = message(rewrites, tone="caution")
        return f'<tr>{first}<td colspan="{n_columns}">{cell}</td></tr>'
    cells = "".join(
        f'<td dir="auto">{visible(rewrite.text)}{outcome_badge(rewrite.outcome)}</td>'
        for rewrite in rewrites
    )
    return f"<tr>{first}{cells}</tr>"
