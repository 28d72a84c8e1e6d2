"""IsoFLOP: At 3e20 FLOPs the loss is lowest at 1.45B active parameters [954M, 2.73B]; there the optimal size grows as
C^0.658 [0.523, 0.748] and the optimal tokens as C^0.391 [0.302, 0.522].

/?dataset=marin-moe-v16&unit=slices&budget=3e20&data=47-f4e98f20-9ebeaad1&out=none

Needs lawlib: run it in the folder of the scaling-law dashboard, or with PYTHONPATH naming that folder.
"""

import numpy as np
from lawlib.approaches import slice_labels
from lawlib.selection import at_point

import lawlib
from lawlib import figures, tables

# The runs come with the program; what is left out of the fit is marked
with lawlib.open_store(workspace=":memory:") as store:
    runs = store.runs("marin-moe-v16")

# Chinchilla, fitted
law = lawlib.fit(runs, "chinchilla", objective="huber", delta=0.001)
samples = lawlib.bootstrap(law, 30, seed=0, groups=slice_labels(law.fit.runs))

print("law:", law.name, law.status)
for name, value in law.params.items():
    low, high = samples.interval(name)
    print(f"  {name} = {value!r}  [{low:.5g}, {high:.5g}]")

budget, expansion, granularity = 3e20, None, None  # FLOPs, E, G
optimum = lawlib.compute_optimal(law, budget, expansion, granularity)
print(f"N_active = {optimum.n_active:.6g}, tokens = {optimum.tokens:.6g}, loss = {optimum.loss:.6g}")

style = figures.LIGHT  # or figures.DARK
label, interval = "Chinchilla, fitted", "95 %, bootstrap of isoFLOP slices"
charts = {}

# Loss against size at fixed compute
budgets = [
    9.999999999999986e17,
    3.0000000000000097e18,
    1.0000000000000033e19,
    3.0000000000000025e19,
    1.0000000000000008e20,
    3e20,
    9.999999999999983e20,
]
curves = tables.isoflop_curves(law, budgets, expansion, granularity, samples)
same, others = at_point(runs, optimum.expansion, optimum.granularity)
charts["isoflop"] = figures.isoflop_figure(
    curves,
    same,
    style,
    budget,
    interval,
    440,
    others,
    reach=tables.optimal_path(law, np.geomspace(1e18, 1e24, 37), expansion, granularity, samples),
)

# Optimal size against compute
path = tables.optimal_path(law, np.geomspace(1e18, 1e24, 37), expansion, granularity, samples)
same, others = at_point(runs, optimum.expansion, optimum.granularity)
vertices = lawlib.isoflop_optima(same)
charts["n_opt"] = figures.allocation(
    {label: path}, label, style, budget, "n_active", interval, vertices.slices if vertices else None
)

# Optimal tokens against compute
path = tables.optimal_path(law, np.geomspace(1e18, 1e24, 37), expansion, granularity, samples)
same, others = at_point(runs, optimum.expansion, optimum.granularity)
vertices = lawlib.isoflop_optima(same)
charts["d_opt"] = figures.allocation(
    {label: path}, label, style, budget, "tokens", interval, vertices.slices if vertices else None
)

for name, figure in charts.items():
    figure.update_layout(paper_bgcolor=style.page).write_html(f"{name}.html", include_plotlyjs="directory")
