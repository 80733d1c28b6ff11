"""Where a file comes from: code, weights, libraries and machine, for all that we write."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from srllm.variants import Profile, Variant

ROOT = Path(__file__).resolve().parent.parent
_LIBRARIES = ("torch", "transformers", "peft", "tokenizers", "bitsandbytes", "numpy", "gradio")
_WEIGHT_FILES = ("*.safetensors", "*.bin", "tokenizer.json", "config.json", "adapter_config.json")


def describe_run(libraries: Sequence[str] = _LIBRARIES) -> dict[str, object]:
    """Time, code revision, versions and hardware of the running program, ready for JSON."""
    revision, is_modified = find_code_revision()
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "code_revision": revision,  # None where there is no git, as in a container
        "code_is_modified": is_modified,
        "python": platform.python_version(),
        "versions": find_versions(libraries),
        "hardware": describe_hardware(),
    }


def find_code_revision(root: Path = ROOT) -> tuple[str | None, bool | None]:
    """The commit of the working tree and whether tracked files differ from it; None: unknown."""
    try:
        revision = _git(root, "rev-parse", "HEAD")
        return revision, bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def find_versions(libraries: Sequence[str] = _LIBRARIES) -> dict[str, str]:
    """Installed versions; libraries that are not installed are left out."""
    found = {}
    for name in libraries:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def describe_hardware() -> dict[str, object]:
    """Processor, cores and, where PyTorch is loaded already, the GPU."""
    hardware: dict[str, object] = {
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }
    torch = sys.modules.get("torch")  # never imported for this
    if torch is not None and torch.cuda.is_available():
        hardware["gpu"] = torch.cuda.get_device_name(0)
    return hardware


def describe_variant(profile: Profile, variant: Variant) -> dict[str, object]:
    """The weights behind a variant: names, revisions, and digests where they lie in folders."""
    weights = {"base_model": (profile.base_model, profile.revision)}
    if variant.adapter is not None:
        weights["adapter"] = (variant.adapter, variant.revision)
    if variant.model is not None:
        weights["model"] = (variant.model, variant.revision)
    description: dict[str, object] = {
        "profile": profile.name,
        "variant": variant.name,
        "prompt": variant.prompt,
        "backend": profile.backend,
        "dtype": profile.dtype,
        "quantisation": profile.quantisation,
    }
    for part, (path, revision) in weights.items():
        folder = Path(path).expanduser()
        is_folder = bool(path) and folder.is_dir()
        description[part] = {
            "name": _relative(folder) if is_folder else path,
            "revision": revision,
            "sha256": digest_folder(folder) if is_folder else None,
        }
    return description


def digest_folder(folder: Path) -> str:
    """SHA-256 over names and contents of the weights, tokenizer and configuration of a folder."""
    digest = hashlib.sha256()
    for file in sorted({found for pattern in _WEIGHT_FILES for found in folder.glob(pattern)}):
        digest.update(file.name.encode() + b"\0")
        digest.update(digest_file(file).encode())
    return digest.hexdigest()


def digest_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor()


def _relative(path: Path) -> str:
    resolved = path.resolve()
    return str(resolved.relative_to(ROOT)) if resolved.is_relative_to(ROOT) else str(path)
