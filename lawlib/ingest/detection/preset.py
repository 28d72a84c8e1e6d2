"""Applies a mapping that was made for one file to another, as far as its columns are there."""

from __future__ import annotations

from dataclasses import dataclass

from lawlib.errors import ReadError

from ..core import Mapping, Table, counted, shown


@dataclass(frozen=True)
class Applied:
    """The mapping that a preset gives for a file.

    lacking: its columns that the file does not have; kept: the quantities that therefore keep their present source.
    """

    mapping: Mapping
    lacking: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Says which columns the file lacks and what follows; "" where it has all of them."""
        if not self.lacking:
            return ""
        words = (
            f"The file lacks {counted(len(self.lacking), 'column')} that the preset names: {shown(', '.join(self.lacking), 400)}."
        )
        return words + (f" Left as it was: {', '.join(self.kept)}." if self.kept else "")


def apply_preset(preset: Mapping, table: Table, present: Mapping) -> Applied:
    """Returns the preset's mapping for this file. A quantity whose columns are missing keeps its source of `present`, if any.

    Quantities that the preset leaves out are left out.

    Raises:
        ReadError: the file has none of the columns that the preset names.
    """
    columns = set(map(str, table.frame.columns))
    named = {q: s.columns for q, s in preset.sources.items()}
    wanted = dict.fromkeys(c for of in named.values() for c in of) | dict.fromkeys(preset.run_columns + preset.loss_columns)
    lacking = tuple(c for c in wanted if c not in columns)
    if wanted and len(lacking) == len(wanted):
        raise ReadError(f"{table.name} has none of the columns that the preset names: {shown(', '.join(lacking), 400)}.")
    if not lacking:
        return Applied(preset)
    sources, kept = {}, []
    for quantity, source in preset.sources.items():
        if columns.issuperset(source.columns):
            sources[quantity] = source
        else:
            kept.append(quantity)
            if quantity in present.sources:
                sources[quantity] = present.sources[quantity]
    fits = columns.issuperset(preset.run_columns)
    losses = tuple(c for c in preset.loss_columns if c in columns)
    chosen = sources["loss"].column if "loss" in sources else ""
    if chosen and chosen not in losses:
        losses = (*losses, chosen)
    reader = preset.reader if fits else present.reader
    mapping = Mapping(reader, sources, preset.run_columns if fits else present.run_columns, losses)
    return Applied(mapping, lacking, tuple(kept))
