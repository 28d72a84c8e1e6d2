"""Pieces of the Serving and Planner pages."""
