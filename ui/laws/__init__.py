"""Parts of the pages about laws: Fit, Dense vs MoE, Compare, Fine-grained."""
