"""The table of backends. Nothing heavy is imported before a backend of that name is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import cast

from srllm.backends.protocol import Backend
from srllm.errors import UnknownNameError
from srllm.settings import Settings
from srllm.variants import Profile

# name -> module and class; the class is called with a profile and the settings
BACKENDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "local": ("srllm.backends.local", "LocalBackend"),
        "endpoint": ("srllm.backends.endpoint", "EndpointBackend"),
        "echo": ("srllm.backends.echo", "EchoBackend"),
    }
)


def build_backend(profile: Profile, settings: Settings) -> Backend:
    """The profile's backend; nothing is loaded before its load() or its first stream()."""
    if profile.backend not in BACKENDS:
        raise UnknownNameError(
            f"Profile {profile.name!r} names the backend {profile.backend!r}. "
            f"Known: {', '.join(BACKENDS)}."
        )
    module, name = BACKENDS[profile.backend]
    build = cast(Callable[[Profile, Settings], Backend], getattr(import_module(module), name))
    return build(profile, settings)
