#!/usr/bin/env python3
"""Poses: a training step of the small heatmap network against PyTorch, decoding with PCK against NumPy; one run.

The network is `HeatmapNet::default()` in float32, on a GPU `HeatmapNet::resnet_50()` too; forward, squared error, backward,
Adam on both sides. Decoding takes the largest pixel with a quarter of a pixel towards the larger neighbour, in NumPy twice:
without any loop, and with one over joints around the quarter, as evaluation code is usually written. Both ends of a pixel's
way are limited by memory: the heatmaps are 2 GB.

    python -m venv venv && venv/bin/pip install -r tests/peers/requirements.txt
    venv/bin/python tests/peers/pose.py [--device cuda] [program arguments]     # or of a bench program built elsewhere
"""

import os
import statistics
import sys

import numpy
import torch
from common import ROOT, device_and_command, median_seconds, ours

sys.path.append(str(ROOT / "tests" / "golden"))
from conv_net import basic_block, conv, conv_transpose, network, window  # noqa: E402

INSTANCES, JOINTS, HEIGHT, WIDTH = 10_000, 17, 64, 48
SMALL = [conv(16, window(3, 2, 1)), "BatchNorm", "Relu", *basic_block(16, 16, 1), *basic_block(16, 32, 2),
         *basic_block(32, 64, 2), conv_transpose(32, window(4, 2, 1)), "BatchNorm", "Relu", conv(14, window(1), bias=True)]


def convolution(filters, view):
    return [conv(filters, view), "BatchNorm", "Relu"]


def resnet_50(joints):
    """`HeatmapNet::resnet_50()`."""
    layers, inputs = convolution(64, window(7, 2, 3)) + [{"MaxPool": window(3, 2, 1)}], 64
    for stage, (filters, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            body = convolution(filters, window(1)) + convolution(filters, window(3, stride, 1))
            body += [conv(4 * filters, window(1)), "BatchNorm"]
            shortcut = [] if block else [conv(4 * filters, window(1, stride)), "BatchNorm"]
            layers += [{"Residual": {"body": body, "shortcut": shortcut}}, "Relu"]
    for _ in range(3):
        layers += [conv_transpose(256, window(4, 2, 1)), "BatchNorm", "Relu"]
    return layers + [conv(joints, window(1), bias=True)]


# A training step of 16 images; the larger is minutes of a CPU.
CASES = {"step 16x1x64x64": ((1, 64, 64), SMALL)}
CUDA_CASES = {"resnet-50 step 16x3x256x192": ((3, 256, 192), resnet_50(JOINTS))}


def numbers(count):
    return (numpy.arange(count, dtype=numpy.int64) * 7919 % 10007).astype(numpy.float32) / 10007


def training_step(shape, layers):
    torch.manual_seed(0)
    net = network(layers, torch.Size(shape)).float().train()
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    images = torch.rand(16, *shape)
    targets = torch.rand(net(images).shape)

    def step():
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(net(images), targets).backward()
        optimiser.step()

    return median_seconds(step)


def decode(heatmaps):
    flat = heatmaps.reshape(-1, HEIGHT * WIDTH)
    place = flat.argmax(1)
    x, y = place % WIDTH, place // WIDTH
    rows = numpy.arange(len(flat))
    points = numpy.stack([x, y], 1).astype(numpy.float64)
    for axis, here, end, stride in [(0, x, WIDTH, 1), (1, y, HEIGHT, WIDTH)]:
        inner = (here > 0) & (here < end - 1)
        r, p = rows[inner], place[inner]
        points[inner, axis] += 0.25 * numpy.sign(flat[r, p + stride] - flat[r, p - stride])
    return points.reshape(-1, JOINTS, 2)


def decode_in_a_loop(heatmaps):
    flat = heatmaps.reshape(-1, HEIGHT * WIDTH)
    place = flat.argmax(1)
    points = numpy.stack([place % WIDTH, place // WIDTH], 1).astype(numpy.float64)
    for row, (x, y) in enumerate(points.astype(int)):
        heatmap = heatmaps[row // JOINTS, row % JOINTS]
        if 0 < x < WIDTH - 1:
            points[row, 0] += 0.25 * numpy.sign(heatmap[y, x + 1] - heatmap[y, x - 1])
        if 0 < y < HEIGHT - 1:
            points[row, 1] += 0.25 * numpy.sign(heatmap[y + 1, x] - heatmap[y - 1, x])
    return points.reshape(-1, JOINTS, 2)


def decode_and_pck(decode):
    heatmaps = numbers(INSTANCES * JOINTS * HEIGHT * WIDTH).reshape(INSTANCES, JOINTS, HEIGHT, WIDTH)
    i, k = numpy.arange(INSTANCES)[:, None], numpy.arange(JOINTS)[None]
    target = numpy.stack([(i * 31 + k * 7) % WIDTH, (i * 17 + k * 5) % HEIGHT], 2).astype(numpy.float64)

    def measure():
        distance = numpy.linalg.norm((decode(heatmaps) - target) / 50.0, axis=2)
        return (distance < 0.2).mean(0).mean()

    # As the bench program, which asserts it.
    assert abs(measure() - 0.088418) < 1e-6
    return median_seconds(measure)


def main():
    device, command = device_and_command()
    torch.set_default_device(device)
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    before = ours("pose", command, threads, device)
    decoding = "decode and PCK 10000x17x64x48"
    cases = CASES | (CUDA_CASES if device == "cuda" else {})
    peer = [(name, "PyTorch", training_step(*case)) for name, case in cases.items()]
    peer += [(decoding, "NumPy, no loop (one core)", decode_and_pck(decode)),
             (decoding, "NumPy, a loop (one core)", decode_and_pck(decode_in_a_loop))]
    # Once more after the peer: the machine may have changed its pace.
    after = ours("pose", command, threads, device)
    print(f"torch {torch.__version__}, numpy {numpy.__version__}, {threads} threads")
    for name, who, there in peer:
        here = statistics.mean([before[name], after[name]])
        print(f"{name:<30} reloss {here * 1e3:8.2f} ms ({before[name] * 1e3:.2f} before, {after[name] * 1e3:.2f} after)"
              f" | {who} {there * 1e3:8.2f} ms | {there / here:.2f} x as fast")


if __name__ == "__main__":
    main()
