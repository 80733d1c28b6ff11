"""Templated CMD records: tables of what people say, and `generate_records` that draws from them."""

from train.templates.generate import generate_records
from train.templates.groups import GROUPS, RESPECTFUL_TERM, Group

__all__ = ["GROUPS", "RESPECTFUL_TERM", "Group", "generate_records"]
