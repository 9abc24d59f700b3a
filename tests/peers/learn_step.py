#!/usr/bin/env python3
"""One loss-learning step: reloss against PyTorch, in one run on this machine.

The peers compute what the released training code computes (per-sample forward, input-gradient penalty with
`create_graph`, diffsort's soft ranks, Adam), once sample by sample as released and once with all samples in one batch.

    python -m venv venv && venv/bin/pip install -r tests/peers/requirements.txt
    venv/bin/python tests/peers/learn_step.py [--device cuda]            # 256 x 128 x 10 and x 1000
"""
import statistics

import torch
from common import device_and_command, ours, seconds
from diffsort import DiffSortNet

SAMPLES, ROWS = 256, 128


def network():
    linear = torch.nn.Linear
    elu = torch.nn.ELU
    return torch.nn.Sequential(
        linear(1, 128), elu(), linear(128, 128), elu(), linear(128, 128), elu(), linear(128, 1)
    )


def soft_ranks(sorter, x):
    _, permutation = sorter(x)
    return permutation @ torch.arange(x.shape[1], dtype=x.dtype)


def pearson(a, b):
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm())


def objective(losses, metrics, penalty, sorter):
    soft = soft_ranks(sorter, -losses[None])[0]
    hard = metrics.argsort().argsort().to(soft.dtype)
    return -pearson(soft, hard) + 10 * penalty


def row_losses(net, logits, labels):
    p = logits.softmax(-1).gather(-1, labels[..., None])
    return net(p)[..., 0].abs()


def loop_step(net, optimiser, sorter, logits, labels):
    losses, metrics, penalties = [], [], []
    for z, y in zip(logits, labels):
        z = z.clone().requires_grad_()
        loss = row_losses(net, z, y).mean()
        (gradient,) = torch.autograd.grad(loss, z, create_graph=True)
        penalties.append(((gradient.norm(dim=1) - 1) ** 2).mean())
        metrics.append((z.argmax(1) == y).float().mean())
        losses.append(loss)
    value = objective(torch.stack(losses), torch.stack(metrics), torch.stack(penalties).mean(), sorter)
    optimiser.zero_grad()
    value.backward()
    optimiser.step()


def batched_step(net, optimiser, sorter, logits, labels):
    z = logits.clone().requires_grad_()
    losses = row_losses(net, z, labels).mean(1)
    (gradient,) = torch.autograd.grad(losses.sum(), z, create_graph=True)
    penalty = ((gradient.norm(dim=2) - 1) ** 2).mean()
    metrics = (logits.argmax(-1) == labels).float().mean(1)
    value = objective(losses, metrics, penalty, sorter)
    optimiser.zero_grad()
    value.backward()
    optimiser.step()


def median_seconds(step, classes, repeats, device):
    torch.manual_seed(0)
    net = network()
    optimiser = torch.optim.Adam(net.parameters(), 0.01, weight_decay=1e-3)
    sorter = DiffSortNet("bitonic", SAMPLES, steepness=5, art_lambda=0.25, distribution="logistic_phi", device=device)
    logits = torch.randn(SAMPLES, ROWS, classes) * 2
    labels = torch.randint(classes, (SAMPLES, ROWS))
    times = [seconds(lambda: step(net, optimiser, sorter, logits, labels)) for _ in range(repeats + 1)]
    return statistics.median(times[1:])


def gemm_peak():
    """This machine's GFLOP/s at a large product."""
    a = torch.rand(1024, 1024)
    return 50 * 2 * 1024**3 / seconds(lambda: [a @ a for _ in range(50)]) / 1e9


def main():
    device, command = device_and_command()
    torch.set_default_device(device)
    before = ours("learn_step", command, device=device)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; {SAMPLES} samples x {ROWS} rows")
    # Value and tangent forward, and both backward: 12 products of (rows x 128) by (128 x 128).
    work = 12 * 2 * SAMPLES * ROWS * 128 * 128 / 1e9
    peak = gemm_peak()
    print(f"products of a step, row by row: {work:.1f} GFLOP; gemm (PyTorch, 1024 cubed): {peak:.0f} GFLOP/s")
    for classes in [10, 1000]:
        batched = median_seconds(batched_step, classes, 7, device)
        loop = median_seconds(loop_step, classes, 3, device)
        # Once more after the peers: the machine may have changed its pace.
        case = f"256x128x{classes}"
        mine = statistics.median([before[case], ours("learn_step", command, device=device)[case]])
        print(
            f"{classes:5} classes: reloss {mine * 1e3:7.1f} ms | PyTorch batched {batched * 1e3:8.1f} ms"
            f" ({batched / mine:.1f} x) | PyTorch loop {loop * 1e3:8.1f} ms ({loop / mine:.1f} x)"
            f" | {100 * work / mine / peak:.0f} % of the gemm peak"
        )


if __name__ == "__main__":
    main()
