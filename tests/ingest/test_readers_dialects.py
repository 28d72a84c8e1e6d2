"""Console dialects of trainers, a few lines of each written by hand: the last loss, its step's tokens, and the size."""

import math

import pytest

from lawlib.ingest import build, detect, open_table

NANOCHAT = (
    "Number of parameters: 560,988,160\nTotal batch size 524,288 => gradient accumulation steps: 2\n"
    "step 00000/21400 (0.00%) | loss: 11.09 | lrm: 1.00 | dt: 500.0ms | tok/sec: 1,048,576 | mfu: 48.1 | total time: 0.0m\n"
    "step 00010/21400 (0.05%) | loss: 7.25 | lrm: 1.00 | dt: 500.0ms | tok/sec: 1,048,576 | mfu: 48.1 | total time: 0.1m\n"
    "Step 00010 | Validation bpb: 1.9\n"
)
LLMC = (
    "| num_parameters        | 124475904                                          |\n| total batch size      | 524288 |\n"
    "val loss 11.0\nstep    1/19560 | loss 10.9 (+nanz)| norm 15.3 (+nanz)| lr 8.57e-07 | 150.3 ms | 57.1% bf16 MFU | 3,500,000 tok/s\n"
    "step  250/19560 | loss 6.5 (+1.2z)| norm 1.1 (+nanz)| lr 1e-04 | 150.3 ms | 57.1% bf16 MFU | 3,500,000 tok/s\nval loss 6.4\n"
)
MODDED = (
    "step:0/1770 val_loss:10.8 train_time:0ms step_avg:nanms\nstep:125/1770 val_loss:4.4 train_time:18000ms step_avg:144ms\n"
    "step:250/1770 val_loss:3.9 train_time:36000ms step_avg:144ms\n"
)
FAIRSEQ = (
    "| num. model params: 125000000 (num. trained: 125000000)\n"
    "| epoch 001:    100 / 1891 loss=11.5, nll_loss=11.0, ppl=2048, wps=52922, ups=0.5, wpb=1000, bsz=5325, num_updates=100, lr=8.9e-05\n"
    "| epoch 001:    200 / 1891 loss=11.0, nll_loss=10.0, ppl=1024, wps=52922, ups=0.5, wpb=1000, bsz=5325, num_updates=200, lr=8.9e-05\n"
    "| epoch 001 | valid on 'valid' subset | valid_loss 9.5 | valid_nll_loss 9 | valid_ppl 512 | num_updates 200\n"
)
COMPOSER = (
    "[epoch=0][batch=10/100]:\n\t Train time/token: 20480\n\t Train loss/train/lbl: 0.01\n\t Train loss/train/total: 8.5\n"
    "[epoch=0][batch=20/100]:\n\t Train time/token: 40960\n\t Train loss/train/lbl: 0.01\n\t Train loss/train/total: 7.5\n"
)


@pytest.mark.parametrize(
    ("text", "reader", "loss", "tokens", "n"),
    [
        (NANOCHAT, "nanochat", 1.9, 5242880, 560988160), (LLMC, "llmc", 6.4, 250 * 524288, 124475904), (MODDED, "llmc", 3.9, None, None),
        (FAIRSEQ, "fairseq", 9 * math.log(2), 200_000, 125e6), (COMPOSER, "composer", 7.5, 40960, None),
    ],
)  # fmt: skip
def test_a_dialect_is_read(text, reader, loss, tokens, n):
    table = open_table(text.encode(), "run.log")
    found = build(table, detect(table))
    assert table.format == reader
    (run,) = found.runs.to_dict("records")
    assert run["loss"] == pytest.approx(loss)
    assert tokens is None or run["tokens"] == tokens
    assert n is None or run["n_active"] == n
