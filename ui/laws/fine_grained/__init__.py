"""Parts of the Fine-grained at scale page."""
