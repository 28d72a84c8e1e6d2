"""Pieces of the Fine-grained page."""
