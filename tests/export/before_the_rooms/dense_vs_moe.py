"""Dense vs MoE: At 1e20 FLOPs a MoE with E = 64, G = 16, reaches loss 2.560; a dense model needs 21.3x [17.2x, 25.5x] the
compute for it, and at the same compute stops at 3.006.

/?dataset=marin-moe-v16&law_e=krajewski2024-moe-e64&budget=1e20&data=47-f4e98f20-9ebeaad1&out=none

Needs lawlib: run it in the folder of the scaling-law dashboard, or with PYTHONPATH naming that folder.
"""

import numpy as np
from lawlib.gap import shared_rounding

import lawlib
from lawlib import figures, tables

# krajewski2024-moe-e64
law = lawlib.published("krajewski2024-moe-e64")

# krajewski2024-dense
dense = lawlib.published("krajewski2024-dense")

# The coefficients that both laws share are drawn together
samples, dense_samples = shared_rounding(law, dense, 30)

print("law:", law.name, law.status)
for name, value in law.params.items():
    low, high = samples.interval(name)
    print(f"  {name} = {value!r}  [{low:.5g}, {high:.5g}]")
print("dense:", dense.name, dense.status)
for name, value in dense.params.items():
    low, high = dense_samples.interval(name)
    print(f"  {name} = {value!r}  [{low:.5g}, {high:.5g}]")

budget, expansion, granularity = 1e20, 64.0, None  # FLOPs, E, G
optimum = lawlib.compute_optimal(law, budget, expansion, granularity)
print(f"N_active = {optimum.n_active:.6g}, tokens = {optimum.tokens:.6g}, loss = {optimum.loss:.6g}")

style = figures.LIGHT  # or figures.DARK
label, interval = "krajewski2024-moe-e64", "95 %, print rounding"
charts = {}

# Compute that the MoE saves
pairs = dict.fromkeys([64.0], (law, dense))
budgets = np.geomspace(1e17, 1e26, 37)
curves = tables.gap_curves(pairs, budgets, {expansion: (samples, dense_samples)}, granularity)
charts["gap"] = figures.gap_figure(curves, style, budget, expansion, interval)

# Optimal loss of both
pairs = dict.fromkeys([64.0], (law, dense))
budgets = np.geomspace(1e17, 1e26, 37)
curves = tables.gap_curves(pairs, budgets, {expansion: (samples, dense_samples)}, granularity)
charts["losses"] = figures.losses_figure(curves, style, budget, expansion)

for name, figure in charts.items():
    figure.update_layout(paper_bgcolor=style.page).write_html(f"{name}.html", include_plotlyjs="directory")
