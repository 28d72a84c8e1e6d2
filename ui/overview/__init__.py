"""Pieces of the Overview page."""
