"""Deliberate errors: each message says what happened, what was given and what to do."""


class SrllmError(Exception):
    """Root of every error that a screen or a command shows as one sentence, without a traceback."""


class UnknownNameError(SrllmError, LookupError):
    """A table has no row of that name; the message lists the valid names."""


class ConfigError(SrllmError, ValueError):
    """A setting, a profile file or a recipe can not be used as written."""


class InputError(SrllmError, ValueError):
    """A text or a file from a person can not be used: empty, too long, binary, wrong column."""


class ModelUnavailableError(SrllmError):
    """A model can not be loaded: missing weights, gated repository, no CUDA, wrong path."""


class BusyError(SrllmError):
    """The bounded queue is full; try again in a moment."""


class BackendError(SrllmError):
    """A model or a server failed while it generated or scored."""
