"""Wall time of the paper's four rewrites of many texts: our backend against plain `generate`.

    python bench/rewrite_speed.py
    python bench/rewrite_speed.py --profile embedded --texts 50 --rounds 3 --threads 2

The peer runs the same weights with transformers' own generate(), one text and one variant after
another, as a first script would. Both decode greedily from the same prompts with the same limits;
loading and a warm-up are not timed; rounds alternate. The second pass is off: only decoding is
compared. Printed: seconds, the ratio, and how many outputs are the same to the character.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from srllm.backends.local import LocalBackend
from srllm.backends.protocol import Decoding, GenerationRequest
from srllm.errors import SrllmError
from srllm.profiles import get_profile
from srllm.prompts import build_messages, get_prompt
from srllm.provenance import ROOT, describe_hardware, find_code_revision, find_versions
from srllm.settings import Settings
from srllm.texts import load_texts
from srllm.variants import PAPER_VARIANTS, Profile, get_variant

TARGET = 2.5


class PlainGenerate:
    """The same models as a first script has them: each variant whole, one text at a time."""

    def __init__(self, profile: Profile) -> None:
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        from srllm.backends.loading import load_codec

        self._torch = torch
        self._codec = load_codec(profile)
        self._models = {}
        for name in PAPER_VARIANTS:
            variant = get_variant(profile, name)
            model = AutoModelForCausalLM.from_pretrained(
                variant.model or profile.base_model, dtype=getattr(torch, profile.dtype)
            )
            if variant.adapter is not None:
                model = PeftModel.from_pretrained(model, variant.adapter)
            self._models[name] = model.eval()

    def run(self, requests: Sequence[GenerationRequest]) -> list[str]:
        return [self._run_one(request) for request in requests]

    def _run_one(self, request: GenerationRequest) -> str:
        ids = self._torch.tensor([self._codec.encode(request.messages)])
        with self._torch.inference_mode():
            output = self._models[request.variant.name].generate(
                input_ids=ids,
                attention_mask=self._torch.ones_like(ids),
                max_new_tokens=request.decoding.max_new_tokens,
                do_sample=False,
            )
        return self._codec.decode(output[0, ids.shape[1] :].tolist())


def run_ours(backend: LocalBackend, requests: Sequence[GenerationRequest]) -> list[str]:
    texts = [""] * len(requests)
    for update in backend.stream(requests):
        if update.error is not None:
            raise update.error
        texts[update.index] = update.text
    return texts


def build_requests(
    backend: LocalBackend, profile: Profile, texts: Sequence[str]
) -> list[GenerationRequest]:
    """Variant after variant within each text, with the limits that the rewriter would set."""
    requests = []
    for text in texts:
        limit = min(profile.max_new_tokens, 2 * backend.count_tokens(text) + 32)
        for name in PAPER_VARIANTS:
            variant = get_variant(profile, name)
            messages = build_messages(get_prompt(variant.prompt), text)
            decoding = Decoding(max_new_tokens=limit)
            requests.append(GenerationRequest(variant, messages, decoding))
    return requests


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--profiles-file", type=Path)
    parser.add_argument("--texts", type=int, default=50, help="number of texts (50)")
    parser.add_argument("--file", type=Path, default=ROOT / "data" / "cmd" / "test.jsonl")
    parser.add_argument("--column", default="Original_Sentence")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="of torch, for both (all cores)")
    arguments = parser.parse_args()
    try:
        return compare(arguments)
    except SrllmError as error:
        print(f"rewrite_speed: {error}", file=sys.stderr)
        return 2


def compare(arguments: argparse.Namespace) -> int:
    profile = get_profile(arguments.profile, arguments.profiles_file)
    texts = load_texts(arguments.file, arguments.column)[: arguments.texts]
    backend = LocalBackend(profile, Settings(threads=arguments.threads))
    backend.load()
    peer = PlainGenerate(profile)
    requests = build_requests(backend, profile, texts)
    run_ours(backend, requests[:8])
    peer.run(requests[:4])

    ours_s: list[float] = []
    peer_s: list[float] = []
    for number in range(arguments.rounds):
        started = time.perf_counter()
        ours = run_ours(backend, requests)
        ours_s.append(time.perf_counter() - started)
        started = time.perf_counter()
        theirs = peer.run(requests)
        peer_s.append(time.perf_counter() - started)
        print(f"round {number + 1}: ours {ours_s[-1]:.2f} s, generate {peer_s[-1]:.2f} s")
    backend.close()

    n_same = sum(a == b.rstrip("\ufffd") for a, b in zip(ours, theirs, strict=True))
    ratio = statistics.median(peer_s) / statistics.median(ours_s)
    print(f"{len(texts)} texts x {len(PAPER_VARIANTS)} variants, profile {profile.name}, greedy")
    print(f"ours      {statistics.median(ours_s):8.2f} s (median of {arguments.rounds})")
    print(f"generate  {statistics.median(peer_s):8.2f} s")
    print(f"ratio     {ratio:8.2f} (target: at least {TARGET})")
    print(f"same text {n_same:5d} of {len(requests)} ({n_same / len(requests):.1%})")
    print(f"load average {os.getloadavg()[0]:.1f}; {describe_hardware()}")
    print(f"{find_versions()} code {find_code_revision()[0]}")
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
