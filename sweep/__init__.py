"""Trains the bundled runs: small byte-level language models, dense and mixture-of-experts, over N, D, E and G."""
