"""The one rule by which every reader finds the loss among a log's columns: what is no loss of the model, and which of several is best.

1. A column is a loss by its words (loss, nll, cross entropy, perplexity, bits per byte ...). It is none where another word says that it
   is an auxiliary term (load balance, z, router, multi-token prediction, distillation, reward ...), a norm, a spread, a setting, a sum.
2. Validation comes before training, and both before the losses of downstream tasks.
3. Nats come before perplexity, bits per token, per character, per byte, and perplexity per word.
4. Smoothed and best-so-far values and those of a test set come last of their kind. The whole comes before a part of the data; C4 is
   the first of the parts.
5. The language model's own loss comes before an unnamed one, that one before a total, which may hold auxiliary terms.

A column called `l` alone is a loss only beside `n` and `d` or `c`: beside `d` and `h` it counts layers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from .units import BITS_PER_BYTE, BITS_PER_CHARACTER, PERPLEXITY, PERPLEXITY_PER_BYTE, PERPLEXITY_PER_WORD, loss_unit

Rank = tuple[int, int, int, int, int]


def word_set(text: str) -> frozenset[str]:
    """Returns the words of a text."""
    return frozenset(text.split())


_LOSS = word_set(
    """
    loss losses nll xent ce crossentropy perplexity ppl pplx bpb bpc bpt nats
    """
)
_AUXILIARY = word_set(
    """
    aux auxiliary balance balanced balancing balancer lb lbl load z router routing gate gating mtp nextn kl kld kldiv
    indexer expert experts distill distil distillation kd student teacher reward rewards policy critic actor vf
    advantage commitment vq codebook recon reconstruction contrastive reg regularization regularisation regularizer
    penalty l1 l2 importance ponder orthogonal orthogonality diversity sparsity mse mae draft eagle medusa hidden logit
    logits attn attention entropy engram
    """
)
_NO_LOSS = word_set(
    """
    norm std stdev stderr sem se err error errors var variance scale scaler scaling grad grads gradient min max count
    counts num time ms seconds duration layer layers predict predicted prediction pred coef coeff coefficient weight
    weights weighting factor alpha lambda sum summed accumulated accum accumulation diff difference delta gap ratio
    threshold target spike spikes fn func function type mask masked ignore overflow ci lower upper quantile slope
    improvement patience reduction config stable smoothing
    """
)
_VALIDATION = word_set(
    """
    val valid validation eval evals evaluation evaluate test heldout dev paloma macro
    """
)
_TRAINING = frozenset(["train", "training", "trainer"])
_DOWNSTREAM = word_set(
    """
    downstream icl mmlu hellaswag arc piqa boolq winogrande lambada openbookqa obqa sciq csqa copa triviaqa gsm8k
    humaneval mbpp squad siqa socialiqa naturalqs bbh truthfulqa
    """
)
_MODEL = frozenset(["lm", "ce", "nll", "xent", "crossentropy", "language", "text"])
_TOTAL = frozenset(["total", "overall", "combined", "with"])
_LATER = frozenset(["smooth", "smoothed", "ema", "running", "moving", "best", "lowest", "test"])
_WHOLE = _LOSS | _VALIDATION | _TRAINING | _MODEL | _TOTAL | _LATER | frozenset(
    ["reduced", "avg", "average", "mean", "global", "final", "last", "step", "epoch", "batch", "iter", "per", "token", "tokens", "value", "held", "out", "metrics", "metric", "cross", "bits", "byte", "character", "char", "word", "logged", "current", "model", "summary", "value", "of", "the", "run", "and", "in", "nats"]
)  # fmt: skip
WITH_AUX = re.compile(r"total|overall|combined|(?<![a-z])with(?![a-z])|\+")
"""Found in the lower-case name of a loss that may include auxiliary terms."""
_UNITS = {
    u: i
    for i, u in enumerate(
        ("", PERPLEXITY, "bits per token", BITS_PER_CHARACTER, BITS_PER_BYTE, PERPLEXITY_PER_BYTE, PERPLEXITY_PER_WORD)
    )
}


def name_words(column: str) -> list[str]:
    """Returns the words of a column's name in lower case, "trainLoss", "train_loss" and "trainloss" alike; digits at a word's end dropped."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", column).lower()
    found = []
    for word in re.split(r"[^a-z0-9]+", parted):
        bare = word if word in ("l1", "l2", "c4") else word.rstrip("0123456789") or word
        match = re.fullmatch(r"([a-z]+?)(loss|ppl|nll|perplexity|crossentropy)", bare)
        found += [match[1], match[2]] if match else [bare] if bare else []
    return found


@lru_cache(2**16)
def loss_rank(column: str) -> Rank | None:
    """Returns how good a candidate for the loss a column is by its name, the least the best; None where it is no loss of the model."""
    whole = name_words(column)
    said = set(whole)
    entropy = "crossentropy" in said or any(a == "cross" and b == "entropy" for a, b in pairwise(whole))
    if not (said & _LOSS or entropy or re.search(r"bits?.?per", column.lower())):
        return None
    others = said - {"entropy"} if entropy else said
    leaf = name_words(re.split(r"[/.|]", column)[-1])
    only_moe = "moe" in leaf and not set(leaf) - {"moe", "loss", "losses"} - _TRAINING - _VALIDATION
    if others & (_AUXILIARY | _NO_LOSS) or only_moe or re.search(r"value_loss|tok[a-z]*_?min|__(min|max)$", column.lower()):
        return None
    of_leaf = set(leaf) & (_VALIDATION | _TRAINING)
    said_of = of_leaf or said & (_VALIDATION | _TRAINING) or ({"val"} if {"held", "out"} <= said else set())
    split = 0 if said_of & _VALIDATION and not (of_leaf and of_leaf <= _TRAINING) else 1
    if split == 0 and said & _DOWNSTREAM:
        split = 2
    rest = {w for w in said - _WHOLE if not w.isdigit() and len(w) > 1} - ({"entropy"} if entropy else set())
    part = 0 if not rest or (split == 1 and rest <= {"tr"}) else 1 if "c4" in column.lower() else 2
    own = 0 if said & _MODEL or entropy else 2 if WITH_AUX.search(column.lower()) else 1
    return split, _UNITS[loss_unit(column)], int(bool(said & _LATER)), part, own


def is_auxiliary(column: str) -> bool:
    """Whether a column's name says that it holds an auxiliary loss."""
    said = set(name_words(column))
    named = said & {"aux", "auxiliary", "balance", "balancing", "lbl", "lb"} and not said & {
        "coef",
        "coeff",
        "weight",
        "type",
        "lr",
    }
    return bool(
        named
        or (
            ("router" in said or "z" in said or "mtp" in said)
            and said & {"loss", "losses"}
            and not said & {"coef", "coeff", "weight"}
        )
    )


def ranked(columns: Iterable[str]) -> tuple[str, ...]:
    """Returns the losses among the columns, the best first; equals stay in their order."""
    given: Sequence[str] = list(columns)
    ranks = {c: rank for c in given if (rank := loss_rank(c)) is not None}
    if not ranks:
        letters = {c.strip().lower(): c for c in given if len(c.strip()) == 1}
        if {"l", "n"} <= letters.keys() and letters.keys() & {"c", "d"} and "h" not in letters:
            return (letters["l"],)
    return tuple(sorted(ranks, key=ranks.__getitem__))
