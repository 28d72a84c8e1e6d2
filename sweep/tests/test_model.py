"""The model against plainer writings of it."""

import pytest
import torch
import torch.nn.functional as F

from lawlib.architecture import Transformer
from sweep import model
from sweep.model import CONTEXT, Experts, LanguageModel, cross_entropy

SHAPES = [(1, 1), (1, 4), (2, 1), (4, 2), (8, 4), (32, 1)]


def shape(expansion: int, granularity: int, d: int = 32, blocks: int = 2) -> Transformer:
    n = expansion * granularity
    return Transformer(d, blocks, 4 * d, n_experts=n, top_k=granularity, granularity=granularity, vocabulary=256)


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """With all parameters moved at random, so that no two experts are alike and no output is zero."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module.double()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("expansion", "granularity"), SHAPES[1:])
def test_experts_give_what_a_plain_loop_over_tokens_gives(expansion, granularity, monkeypatch):
    monkeypatch.setattr(model, "CAPACITY", 1e9)
    layer = shaken(Experts(shape(expansion, granularity)))
    x = torch.randn(3, 20, 32, dtype=torch.double)
    expected = torch.zeros_like(x)
    for sequence in range(3):
        for position in range(20):
            token = x[sequence, position]
            logits = token @ layer.router if layer.router is not None else torch.zeros(1, dtype=torch.double)
            for expert in logits.argsort(descending=True)[: layer.top_k]:
                output = F.relu(token @ layer.up[expert]) ** 2 @ layer.down[expert]
                output = (output - output.mean()) / (output.var(unbiased=False) + 1e-5).sqrt()
                expected[sequence, position] += 2 / (1 + (-logits[expert]).exp()) * output
    torch.testing.assert_close(layer(x), expected / layer.top_k**0.5 * layer.gain)


def test_one_expert_is_the_dense_layer():
    layer = shaken(Experts(shape(1, 1)))
    x = torch.randn(2, 9, 32, dtype=torch.double)
    dense = F.relu(x @ layer.up[0]).square() @ layer.down[0]
    torch.testing.assert_close(layer(x), F.layer_norm(dense, (32,), layer.gain))
    assert layer.router is None


def test_a_full_expert_lets_the_rest_pass_by_in_the_order_of_positions(monkeypatch):
    monkeypatch.setattr(model, "CAPACITY", 1.0)
    layer = shaken(Experts(shape(2, 1)))
    with torch.no_grad():
        layer.router.zero_()
        layer.router[0, 0] = 10.0
    x = torch.rand(1, 8, 32, dtype=torch.double) + 0.1  # all choose the first expert, which has room for half of them
    out = layer.mix(x[0])
    assert (out[:4].abs().sum(-1) > 0).all()
    assert (out[4:] == 0).all()
    assert float(layer.dropped) == pytest.approx(0.5)


@pytest.mark.parametrize("capacity", [2.0, 0.5])
@pytest.mark.parametrize(("expansion", "granularity"), SHAPES)
def test_no_byte_sees_a_later_one_not_even_through_a_full_expert(expansion, granularity, capacity, monkeypatch):
    monkeypatch.setattr(model, "CAPACITY", capacity)
    net = shaken(LanguageModel(shape(expansion, granularity)))
    text = torch.randint(0, 256, (3, 24))
    for cut in (1, 11, 23):
        changed = text.clone()
        changed[:, cut:] = torch.randint(0, 256, (3, 24 - cut))
        torch.testing.assert_close(net(text)[:, :cut], net(changed)[:, :cut])
        assert not torch.allclose(net(text)[:, cut:], net(changed)[:, cut:])


@pytest.mark.parametrize(("expansion", "granularity"), SHAPES)
def test_parameters_are_those_that_the_architecture_counts(expansion, granularity):
    net, counted = LanguageModel(shape(expansion, granularity)), shape(expansion, granularity)
    sizes = {name: p.numel() for name, p in net.named_parameters()}
    experts = sum(n for name, n in sizes.items() if name.endswith((".up", ".down")))
    attention = sum(n for name, n in sizes.items() if name.endswith((".qkv", ".out")))
    assert experts + attention == counted.n_total
    assert experts * counted.top_k / counted.n_experts + attention == counted.n_active
    assert sum(n for name, n in sizes.items() if name.endswith(".router")) == counted.n_router
    assert sizes["embedding"] + sizes["unembedding"] == counted.n_embedding
    rest = sum(n for name, n in sizes.items() if name.endswith((".gain", ".shift", ".sharp")) or name == "last")
    assert sum(sizes.values()) == counted.n_total + counted.n_router + counted.n_embedding + rest


@pytest.mark.parametrize(("expansion", "granularity"), [(2, 1), (4, 2)])
def test_the_router_learns_even_with_one_choice(expansion, granularity):
    net = shaken(LanguageModel(shape(expansion, granularity)))
    text = torch.randint(0, 256, (4, CONTEXT + 1))
    cross_entropy(net(text[:, :-1]), text[:, 1:]).backward()
    for block in net.blocks:
        assert block.experts.router.grad.abs().max() > 1e-6


def test_the_balance_loss_is_one_for_an_even_router_and_n_for_a_collapsed_one():
    net = LanguageModel(shape(8, 1)).double()
    text = torch.randint(0, 256, (4, 32))
    with torch.no_grad():
        for block in net.blocks:
            block.experts.router.zero_()
    net(text)
    assert float(net.balance().detach()) == pytest.approx(1.0)
    layer = net.blocks[0].experts
    with torch.no_grad():
        layer.router[:, 3] = 100.0
    layer(torch.rand(2, 5, 32, dtype=torch.double) + 0.1)
    assert float(layer.balance.detach()) == pytest.approx(8.0)


def test_experts_begin_as_copies_of_the_slices_of_one_dense_layer():
    layer = Experts(shape(4, 2))
    for expert in range(8):
        torch.testing.assert_close(layer.up[expert], layer.up[expert % 2], rtol=0, atol=0)
        torch.testing.assert_close(layer.down[expert], layer.down[expert % 2], rtol=0, atol=0)
    assert not torch.equal(layer.up[0], layer.up[1])
