"""Blind rating studies and CMD annotation, kept in one SQL database."""
