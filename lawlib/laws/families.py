"""The forms of the field's laws, each a declaration; a `Law` added to this file is available everywhere."""

from math import log

from .law import Law

_EHAT = r"1/\hat E = 1/(E - 1 + (1/E_{start} - 1/E_{max})^{-1}) + 1/E_{max}"

CHINCHILLA = Law(
    name="chinchilla",
    title="Chinchilla",
    formula=r"L = L_\infty + A N^{-\alpha} + B D^{-\beta}",
    paper="Hoffmann et al. 2022, arXiv:2203.15556",
    count="n_active",
    parameters=("L_inf", "A", "B", "alpha", "beta"),
    terms=({"ln L_inf": 1.0}, {"ln A": 1.0, "alpha": "-N"}, {"ln B": 1.0, "beta": "-D"}),
)

FINE_GRAINED = Law(
    name="fine_grained",
    title="Fine-grained MoE",
    formula=r"L = c + (g\,G^{-\gamma} + a) N^{-\alpha} + b D^{-\beta}",
    paper="Krajewski, Ludziejewski et al. 2024, arXiv:2402.07871, Eq. 9",
    count="n_total",
    parameters=("a", "alpha", "b", "beta", "g", "gamma", "c"),
    terms=(
        {"ln c": 1.0},
        {"ln g": 1.0, "gamma": "-G", "alpha": "-N"},
        {"ln a": 1.0, "alpha": "-N"},
        {"ln b": 1.0, "beta": "-D"},
    ),
)

JOINT = Law(
    name="joint",
    title="Joint MoE",
    formula=r"L = a \hat E^{\delta} N^{\alpha + \gamma \ln \hat E} + b \hat E^{\omega} D^{\beta + \zeta \ln \hat E} + c,\quad "
    + _EHAT,
    paper="Ludziejewski et al. 2025, arXiv:2502.05172",
    count="n_active",
    parameters=("a", "alpha", "delta", "gamma", "b", "beta", "omega", "zeta", "c", "E_start", "E_max"),
    terms=(
        {"ln c": 1.0},
        {"ln a": 1.0, "delta": "Ehat", "alpha": "N", "gamma": "N Ehat"},
        {"ln b": 1.0, "omega": "Ehat", "beta": "D", "zeta": "D Ehat"},
    ),
)

JOINT_GRANULAR = Law(
    name="joint_granular",
    title="Joint fine-grained MoE",
    formula=r"L = c + (a + g\,G^{-\gamma_g}) \hat E^{\delta} N^{\alpha + \gamma \ln \hat E}"
    r" + b \hat E^{\omega} D^{\beta + \zeta \ln \hat E},\quad " + _EHAT,
    paper="this project: at one E it is the fine-grained law, at one G the joint law",
    count="n_active",
    parameters=("a", "alpha", "delta", "gamma", "b", "beta", "omega", "zeta", "c", "g", "gamma_g", "E_start", "E_max"),
    terms=(
        {"ln c": 1.0},
        {"ln g": 1.0, "gamma_g": "-G", "delta": "Ehat", "alpha": "N", "gamma": "N Ehat"},
        {"ln a": 1.0, "delta": "Ehat", "alpha": "N", "gamma": "N Ehat"},
        {"ln b": 1.0, "omega": "Ehat", "beta": "D", "zeta": "D Ehat"},
    ),
)

ROUTED = Law(
    name="routed",
    title="Routed (unified)",
    formula=r"\log_{10} L = a \log_{10} N + b \log_{10} \hat E + c \log_{10} N \log_{10} \hat E + d,\quad " + _EHAT,
    paper="Clark et al. 2022, arXiv:2202.01169",
    count="n_active",
    parameters=("a", "b", "c", "d", "E_start", "E_max"),
    terms=({"a": "N", "b": "Ehat", "c": (1 / log(10), "N Ehat"), "d": log(10)},),
)

INFERENCE_OPTIMAL = Law(
    name="inference_optimal",
    title="Inference-optimal MoE",
    formula=r"\ln L = \ln(A N^{-\alpha} + B \hat E^{-\beta} + C D^{-\gamma} + F) + d \ln N \ln \hat E,\quad " + _EHAT,
    paper="Yun et al. 2024, arXiv:2404.02852, Eq. 4 (natural logarithms: our reading)",
    count="n_active",
    parameters=("A", "B", "C", "F", "alpha", "beta", "gamma", "d", "E_start", "E_max"),
    terms=(
        {"ln A": 1.0, "alpha": "-N", "d": "N Ehat"},
        {"ln B": 1.0, "beta": "-Ehat", "d": "N Ehat"},
        {"ln C": 1.0, "gamma": "-D", "d": "N Ehat"},
        {"ln F": 1.0, "d": "N Ehat"},
    ),
)

SPARSITY = Law(
    name="sparsity",
    title="Sparsity",
    formula=r"L = a N^{-\alpha} + b D^{-\beta} + c (1-S)^{-\lambda} + d (1-S)^{-\delta} N^{-\gamma} + e",
    paper="Abnar et al. 2025, arXiv:2501.12370",
    count="n_total",
    parameters=("a", "alpha", "b", "beta", "c", "lambda", "d", "delta", "gamma", "e"),
    terms=(
        {"ln a": 1.0, "alpha": "-N"},
        {"ln b": 1.0, "beta": "-D"},
        {"ln c": 1.0, "lambda": "-A"},
        {"ln d": 1.0, "delta": "-A", "gamma": "-N"},
        {"ln e": 1.0},
    ),
)

FAMILIES: dict[str, Law] = {
    law.name: law for law in (CHINCHILLA, FINE_GRAINED, JOINT, JOINT_GRANULAR, ROUTED, INFERENCE_OPTIMAL, SPARSITY)
}


def family(name: str) -> Law:
    """Returns the law's form by name. Raises ValueError with the known names."""
    if name not in FAMILIES:
        raise ValueError(f"There is no law {name!r}; known are {', '.join(FAMILIES)}.")
    return FAMILIES[name]
