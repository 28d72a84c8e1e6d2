"""Reading of run logs: any supported file to canonical runs."""
