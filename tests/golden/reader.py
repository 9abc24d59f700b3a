"""Writes reader.json: a span reader of PyTorch's layers (float64), its logits and gradients.

    pip install torch && python tests/golden/reader.py

Ids are in the file; matches, parameters and cotangents come from `numbers`, a hash of small integers that the test computes
too, so no seed is needed: the parameters' seeds are their places by name. Questions and passages are padded here and masked;
the file has the rows of tokens alone, passage after passage. Written with Python 3.11, PyTorch 2.15.0.
"""

import json
from pathlib import Path

import torch
from conv_net import numbers
from torch import nn

CONFIG = {"vocabulary": 11, "embedding": 6, "matches": 3, "width": 8, "heads": 2, "feed_forward": 12,
          "question_layers": 1, "layers": 2, "dropout": 0.0, "positions": 7}
QUESTIONS = [[4, 9, 5], [10], [6, 7]]
PASSAGES = [[4, 5, 6, 7, 5], [8, 10, 4], [6, 10, 9, 7, 4, 4, 8]]


class Reader(nn.Module):
    def __init__(self, vocabulary, embedding, matches, width, heads, feed_forward, question_layers, layers, dropout,
                 positions):
        super().__init__()
        make = {"dim_feedforward": feed_forward, "dropout": dropout, "batch_first": True}
        self.embed_tokens = nn.Embedding(vocabulary, embedding)
        self.projection = nn.Linear(embedding, width)
        self.positions = nn.Embedding(positions, width)
        self.matches = nn.Linear(matches, width)
        encoders = (nn.TransformerEncoderLayer(width, heads, **make) for _ in range(question_layers))
        decoders = (nn.TransformerDecoderLayer(width, heads, **make) for _ in range(layers))
        self.question = nn.ModuleDict({"layers": nn.ModuleList(encoders)})
        self.passage = nn.ModuleDict({"layers": nn.ModuleList(decoders)})
        self.span = nn.Linear(width, 2)

    def embedded(self, ids):
        words = self.embed_tokens(ids) * self.embed_tokens.embedding_dim**0.5
        return self.projection(words) + self.positions(torch.arange(ids.shape[1]))

    def forward(self, question, question_mask, passage, passage_mask, matches):
        memory = self.embedded(question)
        for layer in self.question["layers"]:
            memory = layer(memory, src_key_padding_mask=question_mask)
        x = self.embedded(passage) + self.matches(matches)
        for layer in self.passage["layers"]:
            x = layer(x, memory, tgt_key_padding_mask=passage_mask, memory_key_padding_mask=question_mask)
        return self.span(x)


def padded(rows):
    return nn.utils.rnn.pad_sequence([torch.as_tensor(row) for row in rows], batch_first=True)


def mask(rows):
    return torch.arange(max(map(len, rows)))[None, :] >= torch.tensor([len(row) for row in rows])[:, None]


def short(values):
    return [float(f"{v:.9g}") for v in values.flatten().tolist()]


def main():
    reader = Reader(**CONFIG).double()
    for seed, (name, parameter) in enumerate(sorted(reader.named_parameters())):
        shift = 1 if "norm" in name and name.endswith("weight") else 0
        parameter.data = (numbers(parameter.numel(), seed) + shift).view_as(parameter)
    lengths = [len(passage) for passage in PASSAGES]
    matches = padded(numbers(sum(lengths) * CONFIG["matches"], 1000).view(-1, CONFIG["matches"]).split(lengths))
    passage_mask = mask(PASSAGES)
    logits = reader(padded(QUESTIONS), mask(QUESTIONS), padded(PASSAGES), passage_mask, matches)[~passage_mask]
    (logits * numbers(logits.numel(), 2000).view_as(logits)).sum().backward()
    found = {"config": CONFIG, "questions": QUESTIONS, "passages": PASSAGES, "logits": short(logits),
             "gradients": {name: short(parameter.grad) for name, parameter in reader.named_parameters()}}
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
