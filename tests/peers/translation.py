#!/usr/bin/env python3
"""One training step of NAT-Base and of a transformer: reloss against PyTorch, in one run on this machine.

64 sentences of 6 to 18 tokens, a vocabulary of 2,000, 128 wide, 4 heads, 512 feed-forward, 2 + 2 layers, dropout .1: forward,
cross-entropy (NAT: of lengths too), backward, Adam on both sides. PyTorch pads and masks, as its layers want it. One step of
learning the loss network (64 samples of 8 sentences of 6 to 24 tokens, with the gradient penalty by double backward) stands
beside ours; its correlation is of hard ranks, next to nothing in time. On a GPU NAT-Base is timed at the paper's size too (512
wide, 8 heads, 2,048 feed-forward, 6 + 6 layers).

    python -m venv venv && venv/bin/pip install -r tests/peers/requirements.txt
    venv/bin/python tests/peers/translation.py [--device cuda] [program arguments]     # or of a bench program built elsewhere
"""

import os
import statistics
from typing import NamedTuple

import torch
from common import device_and_command, median_seconds, ours
from torch import nn

VOCABULARY, SPREAD = 2000, 20


class Size(NamedTuple):
    width: int
    heads: int
    feed_forward: int
    layers: int
    positions: int


SMALL, PAPER = Size(128, 4, 512, 2, 64), Size(512, 8, 2048, 6, 256)


def sentences(seed):
    lengths = [6 + (i * 7 + seed) % 13 for i in range(64)]
    ids = [torch.tensor([4 + (i * 7919 + t * 104729 + seed * 31) % 1996 for t in range(n)]) for i, n in enumerate(lengths)]
    return nn.utils.rnn.pad_sequence(ids, batch_first=True), torch.tensor(lengths)


def mask(lengths):
    return torch.arange(int(lengths.max()))[None, :] >= lengths[:, None]


class Translator(nn.Module):
    def __init__(self, causal, size):
        super().__init__()
        self.causal, self.width = causal, size.width
        self.embed = nn.Embedding(VOCABULARY, size.width)
        self.positions = nn.ModuleList(nn.Embedding(size.positions, size.width) for _ in range(2))
        make = dict(d_model=size.width, nhead=size.heads, dim_feedforward=size.feed_forward, dropout=0.1, batch_first=True)
        self.encoder = nn.ModuleList(nn.TransformerEncoderLayer(**make) for _ in range(size.layers))
        self.decoder = nn.ModuleList(nn.TransformerDecoderLayer(**make) for _ in range(size.layers))
        self.length = nn.Linear(size.width, 2 * SPREAD + 1)
        self.dropout = nn.Dropout(0.1)

    def embedded(self, ids, side):
        x = self.embed(ids) + self.positions[side](torch.arange(ids.shape[1]))
        return self.dropout(x * self.width**0.5)

    def forward(self, source, source_mask, target, target_mask):
        x = self.embedded(source, 0)
        for layer in self.encoder:
            x = layer(x, src_key_padding_mask=source_mask)
        real = (~source_mask)[:, :, None].float()
        lengths = self.length((x * real).sum(1) / real.sum(1))
        memory, x = x, self.embedded(target, 1)
        future = torch.ones(target.shape[1], target.shape[1]).triu(1).bool() if self.causal else None
        for layer in self.decoder:
            x = layer(x, memory, tgt_mask=future, tgt_key_padding_mask=target_mask, memory_key_padding_mask=source_mask)
        return x @ self.embed.weight.T, lengths


def theirs(causal, size):
    torch.manual_seed(0)
    (source, ns), (target, nt) = sentences(0), sentences(5)
    inputs = target
    if causal:
        target = torch.cat([target, torch.zeros(64, 1, dtype=torch.long)], 1)
        nt = nt + 1
        inputs = torch.cat([torch.full((64, 1), 2), target[:, :-1]], 1)
    source_mask, target_mask = mask(ns), mask(nt)
    net = Translator(causal, size).train()
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    classes = (nt - ns + SPREAD).clamp(0, 2 * SPREAD)

    def step():
        optimiser.zero_grad()
        logits, lengths = net(source, source_mask, inputs, target_mask)
        loss = nn.functional.cross_entropy(logits[~target_mask], target[~target_mask])
        if not causal:
            loss = loss + nn.functional.cross_entropy(lengths, classes)
        loss.backward()
        optimiser.step()

    return median_seconds(step)


class LossNetwork(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        elu = nn.functional.elu
        self.head = nn.Sequential(nn.Linear(1, width), nn.ELU(), nn.Linear(width, width), nn.ELU())
        self.positions = nn.Embedding(SMALL.positions, width)
        make = dict(dim_feedforward=2 * width, dropout=0.0, activation=elu, batch_first=True)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(width, heads, **make) for _ in range(2))
        self.tail = nn.Sequential(nn.Linear(width, width), nn.ELU(), nn.Linear(width, 1))

    def forward(self, x, padding):
        x = self.head(x) + self.positions(torch.arange(x.shape[1]))
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        real = (~padding)[:, :, None].float()
        return ((self.tail(x) * real).sum((1, 2)) / real.sum((1, 2))).abs()


def learning(width, heads):
    torch.manual_seed(0)
    lengths = torch.tensor([6 + (i * 5 + s * 7) % 19 for i in range(64) for s in range(8)])
    x = torch.randn(512, 24, 1)
    padding, metric = mask(lengths), torch.arange(64).float()
    net = LossNetwork(width, heads)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2, weight_decay=1e-3)
    def step():
        optimiser.zero_grad()
        odds = x.clone().requires_grad_()
        # The fused kernels have no second derivative.
        with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
            losses = net(odds, padding)
        (slope,) = torch.autograd.grad(losses.sum(), odds, create_graph=True)
        norms = slope.square().sum((1, 2)).add(1e-12).sqrt() * lengths.sqrt()
        ranked = torch.corrcoef(torch.stack([losses.view(64, 8).mean(1), metric]))[0, 1]
        (ranked + 10 * (norms - 1).square().mean()).backward()
        optimiser.step()

    return median_seconds(step)


def main():
    device, command = device_and_command()
    torch.set_default_device(device)
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    before = ours("translation", command, threads, device)
    peer = {"nat step, cross-entropy": theirs(False, SMALL), "transformer step": theirs(True, SMALL),
            "loss learning step, width 32": learning(32, 4), "loss learning step, width 128": learning(128, 8)}
    if device == "cuda":
        peer["NAT-Base step"] = theirs(False, PAPER)
    # Once more after the peer: the machine may have changed its pace.
    after = ours("translation", command, threads, device)
    print(f"torch {torch.__version__}, {threads} threads on both sides")
    for name, once in before.items():
        here = statistics.mean([once, after[name]])
        line = f"{name:<34} reloss {here * 1e3:8.2f} ms ({once * 1e3:.2f} before, {after[name] * 1e3:.2f} after)"
        if name in peer:
            line += f" | PyTorch {peer[name] * 1e3:8.2f} ms | {here / peer[name]:.2f} x its time"
        print(line)


if __name__ == "__main__":
    main()
