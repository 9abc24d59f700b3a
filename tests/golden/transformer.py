"""Writes transformer.json: layers of transformers in PyTorch (float64), forward and gradients.

    pip install torch && python tests/golden/transformer.py

Inputs, parameters and cotangents come from `numbers`, a hash of small integers that the test computes too, so no seed is
needed. Sentences are padded here and masked; the file has the rows of tokens alone, sentence after sentence. Written with
Python 3.11, PyTorch 2.15.0.
"""

import json
from pathlib import Path

import torch
from conv_net import numbers
from torch import nn

WIDTH, HEADS, HIDDEN = 8, 2, 12


def padded(lengths, seed):
    rows = numbers(sum(lengths) * WIDTH, seed).view(-1, WIDTH) * 2
    return nn.utils.rnn.pad_sequence(list(rows.split(lengths)), batch_first=True, padding_value=9.0)


def mask(lengths):
    return torch.arange(max(lengths))[None, :] >= torch.tensor(lengths)[:, None]


def tokens(x, lengths):
    return [float(f"{v:.9g}") for v in torch.cat([x[i, :n] for i, n in enumerate(lengths)]).flatten().tolist()]


def case(kind, lengths, source, causal, activation):
    layer = {"encoder": nn.TransformerEncoderLayer, "decoder": nn.TransformerDecoderLayer}[kind]
    layer = layer(WIDTH, HEADS, HIDDEN, dropout=0.0, activation=activation, batch_first=True).double()
    for seed, (name, parameter) in enumerate(layer.named_parameters()):
        shift = 1 if "norm" in name and name.endswith("weight") else 0
        parameter.data = (numbers(parameter.numel(), seed) + shift).view_as(parameter)
    x = padded(lengths, 1000).requires_grad_()
    memory = padded(source, 1001).requires_grad_()
    if kind == "encoder":
        out = layer(x, src_key_padding_mask=mask(lengths))
    else:
        future = torch.ones(max(lengths), max(lengths)).triu(1).bool() if causal else None
        out = layer(x, memory, tgt_mask=future, tgt_key_padding_mask=mask(lengths),
                    memory_key_padding_mask=mask(source))
    cotangent = padded(lengths, 2000)
    ((out * cotangent)[~mask(lengths)]).sum().backward()
    gradients = {n: [float(f"{v:.9g}") for v in p.grad.flatten().tolist()] for n, p in layer.named_parameters()}
    found = {"kind": kind, "lengths": lengths, "source": source, "causal": causal, "activation": activation.__name__,
             "out": tokens(out, lengths), "on_x": tokens(x.grad, lengths), "gradients": gradients}
    if kind == "decoder":
        found["on_memory"] = tokens(memory.grad, source)
    return found


def main():
    relu, elu = nn.functional.relu, nn.functional.elu
    cases = [
        case("encoder", [3, 5, 1], [1], False, relu),
        case("encoder", [4, 2], [1], False, elu),
        case("decoder", [2, 4, 3], [3, 5, 1], True, relu),
        case("decoder", [2, 4, 3], [3, 5, 1], False, relu),
    ]
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    Path(__file__).with_suffix(".json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
