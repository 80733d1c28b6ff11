"""python -m srllm rewrite | analyze | variants | profiles"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from srllm.errors import InputError, SrllmError
from srllm.settings import Settings

if TYPE_CHECKING:
    from srllm.records import Rewrite, RiskReport
    from srllm.rewriter import Rewriter

_EXAMPLES = """examples:
  python -m srllm rewrite "Only an idiot would fail to see the flaws in this plan."
  python -m srllm rewrite --file texts.csv --out rewrites.jsonl
  python -m srllm analyze "You people never listen." --json
  python -m srllm variants --profile llama2-7b-chat
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    commands = {
        "rewrite": run_rewrite,
        "analyze": run_analyze,
        "variants": run_variants,
        "profiles": run_profiles,
    }
    try:
        return commands[arguments.command](arguments)
    except SrllmError as error:
        print(f"srllm: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("srllm: interrupted", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m srllm",
        description="Find what is unsafe in texts and rewrite them with any declared variant.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--profile", help="name of the profile (SRLLM_PROFILE, embedded)")
    common.add_argument("--profiles-file", type=Path, help="YAML or JSON with more profiles")
    common.add_argument("--json", action="store_true", help="print JSON")

    texts = argparse.ArgumentParser(add_help=False)
    texts.add_argument("text", nargs="?", help="the text; - reads it from standard input")
    texts.add_argument("--file", type=Path, help=".csv, .tsv, .txt or .jsonl with many texts")
    texts.add_argument("--column", default="text", help="column of the texts in --file (text)")
    texts.add_argument("--out", type=Path, help="JSONL or CSV file to write; needs --file")

    rewrite = commands.add_parser("rewrite", parents=[common, texts], help="rewrite texts")
    rewrite.add_argument(
        "--variant", action="append", metavar="NAME", help="may be repeated; without it, defaults"
    )
    rewrite.add_argument("--prompt", help="key of a prompt that replaces each variant's own")
    rewrite.add_argument("--no-guided", action="store_true", help="no second pass")
    commands.add_parser("analyze", parents=[common, texts], help="say what is unsafe in texts")
    commands.add_parser("variants", parents=[common], help="list the variants of a profile")
    commands.add_parser("profiles", parents=[common], help="list the profiles")
    return parser


def run_rewrite(arguments: argparse.Namespace) -> int:
    with closing(_build_rewriter(arguments)) as rewriter:
        if arguments.file is not None:
            return _rewrite_file(arguments, rewriter)
        text = _one_text(arguments)
        rewrites = rewriter.rewrite(text, arguments.variant, prompt=arguments.prompt)
        if arguments.json:
            _print_json({"text": text, "rewrites": [rewrite.to_json() for rewrite in rewrites]})
        else:
            for rewrite in rewrites:
                print(_describe_rewrite(rewrite, rewriter.variants[rewrite.variant].label))
    return 0


def run_analyze(arguments: argparse.Namespace) -> int:
    from srllm.records import risk_to_json
    from srllm.texts import load_texts, write_jsonl

    with closing(_build_rewriter(arguments)) as rewriter:
        if arguments.file is None:
            text = _one_text(arguments)
            report = rewriter.analyze(text)
            if arguments.json:
                _print_json({"text": text, **risk_to_json(report)})
            else:
                print(_describe_report(text, report))
            return 0
        texts = load_texts(arguments.file, arguments.column)
        rows = ({"text": text, **risk_to_json(rewriter.analyze(text))} for text in texts)
        if arguments.out is None:
            for row in rows:
                print(json.dumps(row, ensure_ascii=False))
        else:
            n_rows = write_jsonl(_checked_out(arguments.out, (".jsonl",)), rows)
            print(f"{n_rows:,} texts in {arguments.out}", file=sys.stderr)
    return 0


def run_variants(arguments: argparse.Namespace) -> int:
    from srllm.profiles import get_profile

    settings = _settings(arguments)
    profile = get_profile(settings.profile, settings.profiles_file)
    rows = [
        {
            "name": row.name,
            "label": row.label,
            "is_default": row.is_default,
            "prompt": row.prompt,
            "weights": row.adapter or row.model or profile.base_model,
            "description": row.description,
        }
        for row in profile.variants.values()
    ]
    if arguments.json:
        _print_json(rows)
    else:
        print(f"{profile.name}: {profile.description}")
        for row in rows:
            mark = "*" if row["is_default"] else " "
            print(f" {mark} {row['name']:<16} {row['label']:<18} {row['description']}")
        print("* shown without being asked for")
    return 0


def run_profiles(arguments: argparse.Namespace) -> int:
    from srllm.profiles import load_profiles

    settings = _settings(arguments)
    profiles = load_profiles(settings.profiles_file)
    if arguments.json:
        _print_json(
            [
                {
                    "name": profile.name,
                    "label": profile.label,
                    "backend": profile.backend,
                    "base_model": profile.base_model,
                    "variants": list(profile.variants),
                    "description": profile.description,
                }
                for profile in profiles.values()
            ]
        )
    else:
        for profile in profiles.values():
            mark = "*" if profile.name == settings.profile else " "
            print(f" {mark} {profile.name:<16} {profile.description}")
    return 0


def _rewrite_file(arguments: argparse.Namespace, rewriter: Rewriter) -> int:
    """Every text of a file into one JSON row, or one line of a table; progress on stderr."""
    from srllm.batches import BatchRow, csv_header, csv_row
    from srllm.texts import load_texts, write_csv, write_jsonl

    if arguments.out is None:
        raise InputError("--file needs --out: the file to write, ending in .jsonl or .csv.")
    out = _checked_out(arguments.out, (".jsonl", ".csv"))
    texts = load_texts(arguments.file, arguments.column)
    names = arguments.variant or list(rewriter.default_variants)
    rewriter.load()  # missing weights are one sentence, not one for every text
    n_failed = 0

    def rows() -> Iterator[BatchRow]:
        nonlocal n_failed
        results = rewriter.rewrite_many(texts, arguments.variant, prompt=arguments.prompt)
        for index, result in results:
            n_failed += isinstance(result, str)
            print(f"\r{index + 1:,} of {len(texts):,} texts", end="", file=sys.stderr, flush=True)
            yield BatchRow(index, texts[index], result)
        print(file=sys.stderr)

    if out.suffix == ".csv":
        names = list(dict.fromkeys(names))
        write_csv(out, csv_header(names), (csv_row(row, names) for row in rows()))
    else:
        write_jsonl(out, (row.to_json() for row in rows()))
    if n_failed:
        print(f"srllm: {n_failed:,} texts failed; their rows say why", file=sys.stderr)
    return 0


def _build_rewriter(arguments: argparse.Namespace) -> Rewriter:
    from srllm.rewriter import Rewriter

    return Rewriter.from_settings(_settings(arguments))


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = Settings.from_env()
    if arguments.profile is not None:
        settings = replace(settings, profile=arguments.profile)
    if arguments.profiles_file is not None:
        settings = replace(settings, profiles_file=arguments.profiles_file)
    if getattr(arguments, "no_guided", False):
        settings = replace(settings, guided=False)
    return settings


def _one_text(arguments: argparse.Namespace) -> str:
    if arguments.text is None:
        raise InputError("No text was given. Write it after the command, or use --file.")
    if arguments.out is not None:
        raise InputError("--out needs --file; one text is printed.")
    return sys.stdin.read() if arguments.text == "-" else str(arguments.text)


def _checked_out(path: Path, suffixes: tuple[str, ...]) -> Path:
    if path.suffix.lower() not in suffixes:
        raise InputError(f"--out must end in {' or '.join(suffixes)}, got {str(path)!r}.")
    return path


def _describe_rewrite(rewrite: Rewrite, label: str) -> str:
    lines = [
        f"{label}  [{rewrite.outcome.label}; risk {rewrite.before.unsafe:.2f} -> "
        f"{rewrite.after.unsafe:.2f}; {rewrite.elapsed_s:.2f} s]",
        f"  {rewrite.text}",
    ]
    if rewrite.suggestion:
        lines.append(f"  flagged phrases removed: {rewrite.suggestion}")
    lines += [f"  note: {insight.message}" for insight in rewrite.insights]
    return "\n".join(lines)


def _describe_report(text: str, report: RiskReport) -> str:
    verdict = "unsafe" if report.is_unsafe else "safe"
    scores = ", ".join(f"{category.value} {score:.2f}" for category, score in report.scores.items())
    lines = [f"{verdict}  ({scores}; unsafe from {report.threshold:.2f})"]
    lines += [
        f"  {text[span.start : span.end]!r}: {span.category.value}, {span.weight:.0%} of evidence"
        for span in report.spans
    ]
    return "\n".join(lines)


def _print_json(content: object) -> None:
    print(json.dumps(content, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    sys.exit(main())
