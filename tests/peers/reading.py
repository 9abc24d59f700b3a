#!/usr/bin/env python3
"""One training step of a span reader, and one of its predictions: reloss against PyTorch, in one run on this machine.

32 passages of 150 tokens, questions of 12, a vocabulary of 5,000, 64 wide, 4 heads, 128 feed-forward, 1 layer over the question
and 2 over the passage, dropout .1: forward, cross-entropy of start and end, backward, Adam on both sides. All passages are of
one length, so that PyTorch needs no mask. It predicts the logits only; ours finds the best spans too.

    python -m venv venv && venv/bin/pip install -r tests/peers/requirements.txt
    venv/bin/python tests/peers/reading.py [--device cuda] [program arguments]     # or of a bench program built elsewhere
"""

import os
import statistics

import torch
from common import device_and_command, median_seconds, ours
from torch import nn

PASSAGES, TOKENS, ASKED = 32, 150, 12
VOCABULARY, EMBEDDING, MATCHES, WIDTH, HEADS, HIDDEN, POSITIONS = 5000, 64, 3, 64, 4, 128, 384


def sentences(length, seed):
    return torch.tensor([[4 + (i * 7919 + t * 104729 + seed * 31) % 4996 for t in range(length)] for i in range(PASSAGES)])


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        make = dict(dim_feedforward=HIDDEN, dropout=0.1, batch_first=True)
        self.embed = nn.Embedding(VOCABULARY, EMBEDDING)
        self.projection = nn.Linear(EMBEDDING, WIDTH)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.matches = nn.Linear(MATCHES, WIDTH)
        self.question = nn.TransformerEncoderLayer(WIDTH, HEADS, **make)
        self.passage = nn.ModuleList(nn.TransformerDecoderLayer(WIDTH, HEADS, **make) for _ in range(2))
        self.span = nn.Linear(WIDTH, 2)
        self.dropout = nn.Dropout(0.1)

    def embedded(self, ids):
        return self.projection(self.embed(ids) * EMBEDDING**0.5) + self.positions(torch.arange(ids.shape[1]))

    def forward(self, question, passage, matches):
        memory = self.question(self.dropout(self.embedded(question)))
        x = self.dropout(self.embedded(passage) + self.matches(matches))
        for layer in self.passage:
            x = layer(x, memory)
        return self.span(x)


def theirs():
    torch.manual_seed(0)
    passage, question = sentences(TOKENS, 0), sentences(ASKED, 5)
    matches = (torch.arange(PASSAGES * TOKENS * MATCHES) * 7919 % 5 / 4.0).view(PASSAGES, TOKENS, MATCHES)
    targets = torch.tensor([[i * 37 % 140 + 3 * side for side in range(2)] for i in range(PASSAGES)])
    net = Reader().train()
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)

    def step():
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(question, passage, matches), targets).backward()
        optimiser.step()

    seconds = {"reader step, 32 passages": median_seconds(step)}
    net.eval()
    with torch.inference_mode():
        seconds["reader predicts 32 spans"] = median_seconds(lambda: net(question, passage, matches))
    return seconds


def main():
    device, command = device_and_command()
    torch.set_default_device(device)
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    before = ours("reading", command, threads, device)
    peer = theirs()
    # Once more after the peer: the machine may have changed its pace.
    after = ours("reading", command, threads, device)
    print(f"torch {torch.__version__}, {threads} threads on both sides")
    for name, once in before.items():
        here = statistics.mean([once, after[name]])
        line = f"{name:<34} reloss {here * 1e3:8.2f} ms ({once * 1e3:.2f} before, {after[name] * 1e3:.2f} after)"
        print(line + f" | PyTorch {peer[name] * 1e3:8.2f} ms | {here / peer[name]:.2f} x its time")


if __name__ == "__main__":
    main()
