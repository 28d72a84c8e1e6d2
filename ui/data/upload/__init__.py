"""Pieces of the Upload page."""
