"""Writes conv_net.json: convolutional networks in PyTorch (float64), forward, gradients, running means, prediction.

    pip install torch && python tests/golden/conv_net.py

Every case is a list of layers as `reloss::model::Layer` serialises them. Pixels, parameters and cotangents come from
`numbers`, a hash of small integers that the test computes too, so no seed is needed; long tensors are stored as
their sum, their sum of squares and some entries. Written with Python 3.11, PyTorch 2.15.0.
"""

import json
from pathlib import Path

import torch
from torch import nn

SAMPLES = 12


def numbers(count, seed):
    k = torch.arange(count, dtype=torch.int64)
    whole = (k * k % 10007 * 31 + k * 7919 + seed * 104729) % 10007
    return (whole.double() / 10007 - 0.5).float().double()


def window(side, stride=1, padding=0):
    return {"side": side, "stride": stride, "padding": padding}


def conv(filters, view, groups=1, bias=False):
    return {"Conv2d": {"filters": filters, "window": view, "groups": groups, "bias": bias}}


def conv_transpose(filters, view, bias=False):
    return {"ConvTranspose2d": {"filters": filters, "window": view, "bias": bias}}


def basic_block(inputs, filters, stride):
    body = [conv(filters, window(3, stride, 1)), "BatchNorm", "Relu", conv(filters, window(3, 1, 1)), "BatchNorm"]
    same = inputs == filters and stride == 1
    shortcut = [] if same else [{"Shrink": {"channels": filters, "stride": stride}}]
    return [{"Residual": {"body": body, "shortcut": shortcut}}, "Relu"]


def inverted_residual(inputs, filters, stride, expansion):
    hidden = inputs * expansion
    body = [conv(hidden, window(1)), "BatchNorm", "Relu6"] if expansion != 1 else []
    body += [conv(hidden, window(3, stride, 1), groups=hidden), "BatchNorm", "Relu6"]
    body += [conv(filters, window(1)), "BatchNorm"]
    return [{"Residual": {"body": body, "shortcut": []}}] if inputs == filters and stride == 1 else body


def resnet(depth, classes):
    layers, inputs = [conv(16, window(3, 1, 1)), "BatchNorm", "Relu"], 16
    for stage, filters in enumerate([16, 32, 64]):
        for block in range(depth // 6):
            layers += basic_block(inputs, filters, 2 if stage and not block else 1)
            inputs = filters
    return layers + ["GlobalAverage", {"Linear": classes}]


def mobilenet_v2(classes):
    layers, inputs = [conv(32, window(3, 1, 1)), "BatchNorm", "Relu6"], 32
    stages = [(1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, filters, blocks, first in stages:
        for block in range(blocks):
            layers += inverted_residual(inputs, filters, 1 if block else first, expansion)
            inputs = filters
    return layers + [conv(1280, window(1)), "BatchNorm", "Relu6", "GlobalAverage", {"Linear": classes}]


def way(source, *layers):
    return {"from": source, "layers": list(layers)}


def high_resolution(stem, width, joints):
    """HRNet with two stages of one module, one block a branch, one bottleneck."""
    halving, same = window(3, 2, 1), window(3, 1, 1)
    convolution = lambda filters, view: [conv(filters, view), "BatchNorm", "Relu"]
    shortcut = [conv(4 * stem, window(1)), "BatchNorm"]
    body = convolution(stem, window(1)) + convolution(stem, same) + [conv(4 * stem, window(1)), "BatchNorm"]
    layers = convolution(stem, halving) + convolution(stem, halving)
    layers += [{"Residual": {"body": body, "shortcut": shortcut}}, "Relu"]
    layers.append({"Branches": [[way(0, *convolution(width, same))], [way(0, *convolution(2 * width, halving))]]})
    filters = [width, 2 * width, 4 * width]
    up = lambda f, to: way(f, conv(filters[to], window(1)), "BatchNorm", {"Upsample": 2 ** (f - to)})
    down = lambda f, to: way(f, conv(filters[to], halving), "BatchNorm")
    layers.append({"Branches": [[way(b, *basic_block(filters[b], filters[b], 1))] for b in range(2)]})
    layers += [{"Branches": [[way(0), up(1, 0)], [down(0, 1), way(1)]]}, "Relu"]
    layers.append({"Branches": [[way(0)], [way(1)], [way(1, *convolution(4 * width, halving))]]})
    layers.append({"Branches": [[way(b, *basic_block(filters[b], filters[b], 1))] for b in range(3)]})
    layers += [{"Branches": [[way(0), up(1, 0), up(2, 0)]]}, "Relu", conv(joints, window(1), bias=True)]
    return layers


class Shrink(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x):
        x = x[:, :, :: self.stride, :: self.stride]
        return nn.functional.pad(x, (0, 0, 0, 0, 0, self.channels - x.shape[1]))


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class Branches(nn.Module):
    """Modules are named branch, way; the output is a list, as is the input but for the first branches."""

    def __init__(self, sums, shapes):
        super().__init__()
        self.sources = [[way["from"] for way in ways] for ways in sums]
        for to, ways in enumerate(sums):
            layers = [network(way["layers"], shapes[way["from"]]) for way in ways]
            self.add_module(str(to), nn.ModuleList(layers))

    def forward(self, images):
        images = images if isinstance(images, list) else [images]
        children = dict(self.named_children())
        sums = [sum(layers(images[source]) for layers, source in zip(children[str(to)], sources))
                for to, sources in enumerate(self.sources)]
        return sums if len(sums) > 1 else sums[0]


class Relu(nn.Module):
    def forward(self, x):
        return [image.relu() for image in x] if isinstance(x, list) else x.relu()


class GlobalAverage(nn.Module):
    def forward(self, x):
        return x.mean((2, 3), keepdim=True)


class Linear(nn.Linear):
    def forward(self, x):
        return super().forward(x.flatten(1))[:, :, None, None]


def module(layer, shape):
    if isinstance(layer, dict) and "Branches" in layer:
        return Branches(layer["Branches"], shape if isinstance(shape, list) else [shape])
    if layer == "Relu":
        return Relu()
    channels = shape[0]
    if isinstance(layer, str):
        plain = {"Relu6": nn.ReLU6, "GlobalAverage": GlobalAverage}
        return nn.BatchNorm2d(channels) if layer == "BatchNorm" else plain[layer]()
    ((kind, value),) = layer.items()
    if kind == "Conv2d":
        w = value["window"]
        return nn.Conv2d(channels, value["filters"], w["side"], w["stride"], w["padding"], groups=value["groups"],
                         bias=value["bias"])
    if kind == "ConvTranspose2d":
        w = value["window"]
        return nn.ConvTranspose2d(channels, value["filters"], w["side"], w["stride"], w["padding"], bias=value["bias"])
    if kind == "MaxPool":
        return nn.MaxPool2d(value["side"], value["stride"], value["padding"])
    if kind == "AveragePool":
        return nn.AvgPool2d(value["side"], value["stride"], value["padding"])
    if kind == "Upsample":
        return nn.Upsample(scale_factor=value)
    if kind == "Shrink":
        return Shrink(value["channels"], value["stride"])
    if kind == "Linear":
        return Linear(shape.numel(), value)
    if kind == "Residual":
        return Residual(*(network(value[way], shape) for way in ["body", "shortcut"]))
    raise ValueError(kind)


def network(layers, shape):
    modules = []
    for layer in layers:
        modules.append(module(layer, shape).double())
        modules[-1].eval()
        zeros = lambda shape: torch.zeros(1, *shape).double()
        out = modules[-1]([zeros(s) for s in shape] if isinstance(shape, list) else zeros(shape))
        shape = [image.shape[1:] for image in out] if isinstance(out, list) else out.shape[1:]
    return nn.Sequential(*modules)


def fill(net):
    for seed, (name, parameter) in enumerate(net.named_parameters()):
        values = numbers(parameter.numel(), seed)
        if parameter.dim() > 1:
            values = values * (2 * (6 / parameter[0].numel()) ** 0.5)
        elif name.endswith("weight"):
            values = values + 1
        parameter.data = values.float().double().view_as(parameter)


def short(tensor):
    flat = tensor.detach().flatten()
    places = [k * len(flat) // SAMPLES for k in range(SAMPLES)] if len(flat) > SAMPLES else range(len(flat))
    rounded = lambda value: float(f"{value:.8g}")
    return {"sum": rounded(flat.sum().item()), "squares": rounded((flat**2).sum().item()),
            "some": [rounded(flat[k].item()) for k in places]}


def case(name, shape, layers, rows=3):
    net = network(layers, torch.Size(shape))
    fill(net)
    x = numbers(rows * torch.Size(shape).numel(), 1000).view(rows, *shape).requires_grad_()
    net.train()
    out = net(x)
    cotangent = numbers(out.numel(), 2000).view_as(out)
    (out * cotangent).sum().backward()
    net.eval()
    parameters = {n: short(p.grad) for n, p in net.named_parameters()}
    kept = {n: short(b) for n, b in net.named_buffers() if not n.endswith("num_batches_tracked")}
    return {"name": name, "image": dict(zip(["channels", "height", "width"], shape)), "rows": rows, "layers": layers,
            "out": short(out), "on_x": short(x.grad), "gradients": parameters, "running": kept,
            "shapes": {n: list(p.shape) for n, p in net.named_parameters()}, "predicted": short(net(x))}


def main():
    torch.use_deterministic_algorithms(True)
    cases = [
        case("conv same", (1, 5, 4), [conv(3, window(3, 1, 1), bias=True)]),
        case("conv stride 2, odd sides", (3, 7, 5), [conv(4, window(3, 2, 1))], rows=11),
        case("conv in two groups", (4, 6, 6), [conv(6, window(5, 1, 2), groups=2, bias=True)]),
        case("depthwise, stride 2", (4, 5, 6), [conv(4, window(3, 2, 1), groups=4)], rows=9),
        case("depthwise, two filters a channel", (2, 4, 4), [conv(4, window(3, 1, 1), groups=2, bias=True)]),
        case("pointwise", (5, 3, 3), [conv(7, window(1))]),
        case("pointwise, stride 2", (2, 5, 6), [conv(3, window(1, 2))]),
        case("one pixel", (3, 1, 1), [conv(2, window(1), bias=True)]),
        case("one pixel among zeros", (3, 1, 1), [conv(2, window(3, 1, 1))]),
        case("even window", (2, 4, 4), [conv(3, window(2, 2), bias=True)]),
        case("valid", (1, 3, 3), [conv(2, window(3), bias=True)]),
        case("stride 3, much padding", (2, 3, 4), [conv(2, window(4, 3, 2))]),
        case("transposed", (3, 4, 3), [conv_transpose(2, window(4, 2, 1))], rows=9),
        case("transposed, gaps and a bias", (2, 3, 4), [conv_transpose(4, window(2, 3), bias=True)]),
        case("transposed, stride 1", (2, 3, 3), [conv_transpose(3, window(3, 1, 2))]),
        case("max pool", (2, 4, 6), [{"MaxPool": window(2, 2)}]),
        case("max pool, odd sides", (2, 5, 7), [{"MaxPool": window(2, 2)}]),
        case("max pool, overlapping", (3, 6, 5), [{"MaxPool": window(3, 2, 1)}]),
        case("average pool", (2, 4, 6), [{"AveragePool": window(2, 2)}]),
        case("average pool, zeros counted", (2, 5, 4), [{"AveragePool": window(3, 1, 1)}]),
        case("global average", (3, 4, 5), ["GlobalAverage"]),
        case("upsample", (2, 3, 2), [{"Upsample": 3}]),
        case("shrink", (2, 5, 4), [{"Shrink": {"channels": 5, "stride": 2}}]),
        case("linear", (2, 3, 2), [{"Linear": 4}]),
        case("batch norm", (3, 4, 5), ["BatchNorm"], rows=10),
        case("batch norm of one pixel", (4, 1, 1), ["BatchNorm"], rows=5),
        case("small net", (1, 12, 8), [
            conv(4, window(3, 1, 1), bias=True), "Relu", {"MaxPool": window(2, 2)},
            conv(6, window(3, 1, 1), bias=True), "Relu", {"MaxPool": window(2, 2)}, {"Linear": 5}]),
        case("basic block", (4, 6, 6), basic_block(4, 4, 1)),
        case("basic block, stride 2", (4, 7, 6), basic_block(4, 8, 2)),
        case("inverted residual", (4, 6, 5), inverted_residual(4, 4, 1, 3)),
        case("inverted residual, stride 2", (4, 7, 6), inverted_residual(4, 6, 2, 3)),
        case("resnet 20", (3, 32, 32), resnet(20, 10), rows=2),
        case("hrnet", (1, 32, 16), high_resolution(4, 3, 5)),
    ]
    mobile = network(mobilenet_v2(10), torch.Size((3, 32, 32)))
    count = sum(p.numel() for p in mobile.parameters())
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    layers = json.dumps(mobilenet_v2(10), separators=(",", ":"))
    text = f'{{"cases":[\n{lines}],\n"mobilenet_v2":{{"parameters":{count},"layers":{layers}}}}}\n'
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
