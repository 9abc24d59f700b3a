#!/usr/bin/env python3
"""One training step of convolutional networks: reloss against PyTorch, in one run on this machine.

The networks are those of `tests/golden/conv_net.py`, in float32; forward, cross-entropy, backward, Adam on both sides.

    python -m venv venv && venv/bin/pip install -r tests/peers/requirements.txt
    venv/bin/python tests/peers/conv_step.py [--device cuda] [program arguments]     # or of a bench program built elsewhere
"""

import os
import statistics
import sys

import torch
from common import ROOT, device_and_command, median_seconds, ours

sys.path.append(str(ROOT / "tests" / "golden"))
from conv_net import conv, mobilenet_v2, network, resnet, window  # noqa: E402

SMALL = [conv(16, window(3, 1, 1), bias=True), "Relu", {"MaxPool": window(2, 2)},
         conv(32, window(3, 1, 1), bias=True), "Relu", {"MaxPool": window(2, 2)}, {"Linear": 10}]
CASES = {
    "small 64x1x28x28": (64, (1, 28, 28), SMALL),
    "resnet-20 64x3x32x32": (64, (3, 32, 32), resnet(20, 10)),
    "mobilenet-v2 16x3x32x32": (16, (3, 32, 32), mobilenet_v2(10)),
}


# What takes seconds a step on a CPU.
CUDA_CASES = {"resnet-56 128x3x32x32": (128, (3, 32, 32), resnet(56, 10))}


def theirs(rows, shape, layers):
    torch.manual_seed(0)
    net = network(layers, torch.Size(shape)).float().train()
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    images, labels = torch.rand(rows, *shape), torch.arange(rows) % 10

    def step():
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(images).flatten(1), labels).backward()
        optimiser.step()

    return median_seconds(step)


def main():
    device, command = device_and_command()
    torch.set_default_device(device)
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    before = ours("conv_step", command, threads, device)
    cases = CASES | (CUDA_CASES if device == "cuda" else {})
    peer = {name: theirs(*case) for name, case in cases.items()}
    # Once more after the peer: the machine may have changed its pace.
    after = ours("conv_step", command, threads, device)
    print(f"torch {torch.__version__}, {threads} threads on both sides")
    for name, there in peer.items():
        here = statistics.mean([before[name], after[name]])
        print(f"{name:<26} reloss {here * 1e3:8.2f} ms ({before[name] * 1e3:.2f} before, {after[name] * 1e3:.2f} after)"
              f" | PyTorch {there * 1e3:8.2f} ms | {here / there:.2f} x its time")


if __name__ == "__main__":
    main()
