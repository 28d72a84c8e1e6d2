"""Recomputes the papers' figures: what was printed, what this program gives, how far apart, and whether that is close enough.

A check's tolerance is that of the field's own rounding (see the seeds' notes); a check without one is shown, not judged.
"""

from __future__ import annotations

from .krajewski import coarse_fine, krajewski_gap, krajewski_table2, switching
from .ludziejewski import joint_table1, joint_table4
from .section import Section
from .serving import memory_table2, sardana, yun_findings
from .single_figures import chinchilla_refit, others

__all__ = [
    "Section",
    "chinchilla_refit",
    "coarse_fine",
    "joint_table1",
    "joint_table4",
    "krajewski_gap",
    "krajewski_table2",
    "memory_table2",
    "others",
    "sardana",
    "sections",
    "switching",
    "yun_findings",
]


def sections() -> list[Section]:
    """Returns all sections that need no data from the user."""
    return [
        krajewski_table2(),
        krajewski_table2("krajewski2024-moe-e64-inrounding"),
        switching(),
        krajewski_gap(),
        joint_table1(),
        joint_table4(),
        memory_table2(),
        sardana(),
        yun_findings(),
        coarse_fine(),
        others(),
    ]
