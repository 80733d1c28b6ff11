"""Tells what is unsafe in a text and rewrites it with any declared variant."""
