"""Scaling laws of dense and mixture-of-experts language models: runs, fits, optima and their pictures."""
