"""Golden values of the loss-learning objective: PyTorch's double backward against this crate's exact tangents.

    pip install torch diffsort safetensors && python tests/golden/objective.py

Writes objective.safetensors (a network of width 8 under the released code's names) and objective.json (logits,
labels, losses, objective, its gradient). The network, the penalty and the ranks are as the released code has them,
save that the losses are standardised before they are ranked and that tied metrics share their average rank.
"""
import json
import pathlib

import torch
from diffsort import DiffSortNet
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
SAMPLES, ROWS, CLASSES, WIDTH = 8, 6, 4, 8


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        linear, elu = torch.nn.Linear, torch.nn.ELU
        self.logits_fcs = torch.nn.Sequential(linear(1, WIDTH), elu(), linear(WIDTH, WIDTH), elu())
        self.loss = torch.nn.Sequential(linear(WIDTH, WIDTH), elu(), linear(WIDTH, 1))

    def forward(self, logits, labels):
        p = logits.softmax(-1).gather(-1, labels[..., None])
        return self.loss(self.logits_fcs(p))[..., 0].abs().mean(-1)


def pearson(a, b):
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm())


def main():
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    network = Network().float().double()
    logits = (torch.randn(SAMPLES, ROWS, CLASSES) * 2).float().double().requires_grad_()
    labels = logits.argmax(-1)
    for sample in range(SAMPLES):
        labels[sample, sample % ROWS :] = torch.randint(CLASSES, (ROWS - sample % ROWS,))
    metric = (logits.argmax(-1) == labels).double().mean(-1)
    ranks = torch.tensor([(metric < m).sum() + ((metric == m).sum() + 1) / 2 for m in metric])

    losses = network(logits, labels)
    (gradient,) = torch.autograd.grad(losses.sum(), logits, create_graph=True)
    penalty = ((gradient.norm(dim=-1) - 1) ** 2).mean()
    standard = (-losses + losses.mean()) / losses.std(unbiased=False)
    sorter = DiffSortNet("bitonic", SAMPLES, steepness=5, art_lambda=0.25, distribution="logistic_phi")
    soft = sorter(standard[None])[1][0] @ torch.arange(SAMPLES).double()
    objective = -pearson(soft, ranks) + 10 * penalty
    objective.backward()

    save_file({k: v.float().contiguous() for k, v in network.state_dict().items()}, HERE / "objective.safetensors")
    values = {
        "logits": logits.flatten().tolist(),
        "labels": labels.flatten().tolist(),
        "metric": metric.tolist(),
        "losses": losses.tolist(),
        "penalty": penalty.item(),
        "agreement": pearson(soft, ranks).item(),
        "gradient": {name: p.grad.flatten().tolist() for name, p in network.named_parameters()},
    }
    (HERE / "objective.json").write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
