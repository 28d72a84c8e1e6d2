"""A byte-level decoder-only transformer whose feed-forward layers are dense or mixtures of experts.

Pre-norm, rotary positions, queries and keys normed, squared ReLU, no biases; each layer sees the previous position beside its own. Krajewski et al. 2024 (arXiv:2402.07871) put a norm after the MoE layer.
Here it stands after each expert and before its gate: a norm behind the gated sum divides the gate of a single expert out
again, and a router with one choice would never learn. The dense layer is an expert whose gate is one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lawlib.architecture import Transformer

VOCABULARY = 256
CONTEXT = 128
"""Bytes a sequence."""
HEAD_WIDTH = 32
"""Of an attention head at the least: d_model // 32 heads share d_model, one where that is less than one."""
CAPACITY = 8.0
"""An expert takes at most this many times the mean number of (token, choice) pairs; what is beyond passes by.

So much that hardly a choice is lost: at 2, 128 experts of batches of 512 bytes lost 12 % of theirs, and 0.06 nats.
"""
BALANCE = 0.01
"""Weight of the load-balancing loss; it trains the router and is never part of the logged loss."""
SHIFT = 0.5
"""Weight that the previous position begins with."""
GAIN = 0.5
"""What the norm of a feed-forward layer's output is first multiplied by."""


class Experts(nn.Module):
    """Feed-forward layer of E·G experts of width d_ff / G, each token to G of them; one expert is the dense layer.

    Gate: 2 · sigmoid of the router's logit for the G largest, not divided by their sum (with one choice that would be the
    constant 1). Output: gain · Σ gate · norm(expert) / sqrt(G), so its scale at the beginning is the same for every E and G.
    Token choice with a capacity, first come first served in the order of positions, so that no token's route depends on a
    later one. The experts begin as E copies of the G slices of one dense
    layer: in runs as short as these, experts that begin apart cost more than they bring.
    """

    def __init__(self, shape: Transformer):
        super().__init__()
        d, width, n = shape.d_model, round(shape.d_ff / shape.granularity), shape.n_experts
        self.n_experts, self.top_k = n, shape.top_k
        slices = max(n // round(shape.expansion), 1)
        self.up = nn.Parameter((torch.randn(slices, d, width) * d**-0.5).repeat(n // slices, 1, 1))
        self.down = nn.Parameter((torch.randn(slices, width, d) * width**-0.5).repeat(n // slices, 1, 1))
        self.router = nn.Parameter(torch.randn(d, n) * d**-0.5) if n > 1 else None
        self.gain = nn.Parameter(torch.full((d,), GAIN))
        self.balance = torch.zeros(())
        self.dropped = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(batch, positions, d)` in and out."""
        if self.router is None:
            return normed(F.relu(x @ self.up[0]).square() @ self.down[0], self.gain)
        ordered = x.transpose(0, 1)  # position by position: who comes first is never later in the text
        return self.mix(ordered.reshape(-1, x.shape[-1])).view_as(ordered).transpose(0, 1) * self.gain

    def mix(self, x: Tensor) -> Tensor:
        """Gated sum of each token's experts, shape `(tokens, d)`, before the gain."""
        assert self.router is not None
        n_tokens, n, k = len(x), self.n_experts, self.top_k
        logits = x @ self.router
        top, chosen = logits.topk(k, dim=-1)
        expert, order = chosen.flatten().sort(stable=True)
        counts = torch.bincount(expert, minlength=n)
        place = torch.arange(len(expert)) - (counts.cumsum(0) - counts)[expert]
        room = min(int(counts.max()), int(-(-CAPACITY * n_tokens * k // n)))
        kept = place < room
        order, slot = order[kept], (expert * room + place)[kept]
        token = order // k
        inputs = x.new_zeros(n * room, x.shape[1]).index_copy(0, slot, x[token])
        hidden = F.relu(torch.bmm(inputs.view(n, room, -1), self.up)).square()
        outputs = normed(torch.bmm(hidden, self.down).view(n * room, -1)[slot])
        share = counts.to(x.dtype) / (n_tokens * k)
        self.balance = n * (share * logits.softmax(-1).mean(0)).sum()
        self.dropped = 1 - kept.to(x.dtype).mean()
        gates = 2 / k**0.5 * top.sigmoid()
        return torch.zeros_like(x).index_add(0, token, outputs * gates.flatten()[order, None])


class Attention(nn.Module):
    def __init__(self, d: int):
        super().__init__()
        self.heads = max(d // HEAD_WIDTH, 1)
        self.qkv = nn.Parameter(torch.randn(d, 3 * d) * d**-0.5)
        self.sharp = nn.Parameter(torch.ones(d // self.heads))
        self.out = nn.Parameter(torch.randn(d, d) * (0.5 * d**-0.5))

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        batch, positions, d = x.shape
        qkv = (x @ self.qkv).view(batch, positions, 3, self.heads, d // self.heads)
        pairs = torch.view_as_complex((normed(qkv[:, :, :2]) * self.sharp).unflatten(-1, (-1, 2)))
        q, k = torch.view_as_real(pairs * turn).flatten(-2).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, qkv[:, :, 2].transpose(1, 2), is_causal=True)
        return y.transpose(1, 2).reshape(batch, positions, d) @ self.out


class Before(nn.Module):
    """What stands before a layer: the norm, and each position's predecessor mixed in, by a weight for each feature.

    Without it attention must first learn to look one byte back. That comes suddenly and late, at a step that differs from seed to
    seed: final losses of equal runs at 1e11 FLOPs lay up to 0.2 nats apart.
    """

    def __init__(self, d: int):
        super().__init__()
        self.gain, self.shift = nn.Parameter(torch.ones(d)), nn.Parameter(torch.full((d,), SHIFT))

    def forward(self, x: Tensor) -> Tensor:
        y = normed(x, self.gain)
        return y + self.shift * F.pad(y[:, :-1], (0, 0, 1, 0))


def normed(x: Tensor, gain: Tensor | None = None) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], gain)


def turns(width: int) -> Tensor:
    """Rotary positions of a head: complex numbers of shape `(CONTEXT, 1, 1, width // 2)` that turn each pair of features."""
    angle = torch.arange(CONTEXT)[:, None] * 1000.0 ** -(torch.arange(width // 2) / (width // 2))
    return torch.polar(torch.ones_like(angle), angle)[:, None, None, :]


class Block(nn.Module):
    def __init__(self, shape: Transformer):
        super().__init__()
        d = shape.d_model
        self.attention, self.experts = Attention(d), Experts(shape)
        self.before_attention, self.before_experts = Before(d), Before(d)

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        x = x + self.attention(self.before_attention(x), turn)
        return x + self.experts(self.before_experts(x))


class LanguageModel(nn.Module):
    """Next-byte logits. `shape.n_active`, `n_total` and `n_router` count its blocks; embeddings and norms are beside."""

    def __init__(self, shape: Transformer):
        super().__init__()
        d = shape.d_model
        self.shape = shape
        self.embedding = nn.Parameter(torch.randn(VOCABULARY, d) * 0.5)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_layers))
        self.last = nn.Parameter(torch.ones(d))
        self.unembedding = nn.Parameter(torch.zeros(d, VOCABULARY))
        self.register_buffer("turn", turns(d // self.blocks[0].attention.heads), persistent=False)

    def forward(self, text: Tensor) -> Tensor:
        """Logits of shape `(batch, positions, 256)` for bytes of shape `(batch, positions)`."""
        x = self.embedding[text]
        for block in self.blocks:
            x = block(x, self.turn[: text.shape[1]])
        return normed(x, self.last) @ self.unembedding

    def balance(self) -> Tensor:
        """Load-balancing loss, mean over the blocks: n_experts Σ share of tokens · mean softmax of the logits (1 when all are alike)."""
        return torch.stack([b.experts.balance for b in self.blocks]).mean()  # type: ignore[union-attr]

    def dropped(self) -> float:
        """Share of (token, choice) pairs of the last batch that found their expert full."""
        return float(torch.stack([b.experts.dropped for b in self.blocks]).mean())  # type: ignore[union-attr]


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats a byte."""
    return F.cross_entropy(logits.view(-1, VOCABULARY), targets.reshape(-1))
