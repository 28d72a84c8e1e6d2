"""Reproductions: the papers' figures recomputed live, each with its deviation."""

import ui
from ui import papers

ui.begin("Reproductions", "Do the papers' own numbers come out of this program?", filters=False)
sections = papers.paper_sections()
ui.answer(
    f"**{sum(s.n_held for s in sections)} of {sum(s.n_judged for s in sections)}** checks come out: figures that the papers print, and "
    "what follows from their coefficients where nothing is printed. Each is below, with its deviation.",
    "Recomputed when this page opens, from the coefficients in the text seeds. Losses of different papers are never compared.",
)
for section in sections:
    papers.show_section(section)
if not any("refit" in s.title for s in sections):
    papers.missing_refit()
ui.finish()
