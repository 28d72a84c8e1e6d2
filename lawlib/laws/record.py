"""The source of a published law: the paper, the count of N it uses, and how its figures are known."""

from __future__ import annotations

from dataclasses import dataclass

COUNTS: dict[str, str] = {
    "n_active": "active parameters, non-embedding, router excluded",
    "n_total": "total parameters, non-embedding, router excluded",
    "n_active_with_embeddings": "active parameters with embedding and unembedding",
    "n_total_with_embeddings": "total parameters with embedding",
}
MARKS: dict[str, str] = {
    "P": "printed in the paper",
    "S": "from a secondary source only",
    "R": "from a public repository's data",
    "C": "computed here, not printed",
    "": "printed in the paper",
}


@dataclass(frozen=True)
class Record:
    """The source of a published law. `half_units` are half of each coefficient's last printed digit."""

    name: str
    title: str
    authors: str
    year: int
    arxiv: str
    location: str
    count: str
    mark: str
    note: str
    loss_data: str
    half_units: dict[str, float]
    standard_errors: dict[str, float]

    @property
    def citation(self) -> str:
        place = f", {self.location}" if self.location else ""
        return f"{self.authors} {self.year}, arXiv:{self.arxiv}{place}"
