"""Golden values of learned losses in PyTorch, by the very module that the docs of `Surrogate::save` show.

    pip install torch safetensors && python tests/golden/pytorch.py

Takes the module out of src/surrogate/pytorch.md and runs it on the losses of data/pretrained/, and on their weights and
those of objective.safetensors under other notes, so that every kind of input occurs. Writes pytorch.json: the module's
text, and for each case the file of the weights, the notes, logits, labels, the loss and its gradient. Seed 1, in f32.
"""
import json
import pathlib
import re
import tempfile

import torch
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
MODULE = re.search(r"```python\n(.*?)```", (ROOT / "src/surrogate/pytorch.md").read_text(), re.S).group(1)
ROWS = 12


def notes(feature, **more):
    shares, monotone = more.pop("shares", None), more.pop("monotone", False)
    given = {"feature": feature, "temperature": 1.5, "scale": 0.5, "balanced": False, "set": False, **more}
    return {"input": given, "metric": "accuracy", "shares": shares, "monotone": monotone}


def cases():
    """Weights, notes in place of the file's own (none: as they are), and the number of classes."""
    one, two = "tests/golden/objective.safetensors", "data/pretrained/macro_f1.safetensors"
    yield "data/pretrained/accuracy.safetensors", None, 5
    yield two, None, 5
    yield "data/pretrained/balanced_accuracy.safetensors", None, 3
    yield one, None, 5
    for feature in ["Probability", "LogOdds", "LogProbability", "Margin", "Entropy", "LogRank"]:
        yield one, notes(feature), 4
    yield two, notes("LogProbability", also=["LogRank"]), 4
    yield two, notes("LogOdds", balanced=True, shares=[0.5, 0.3, 0.2]), 3
    yield two, notes("LogOdds", set=True), 2


def main():
    torch.manual_seed(1)
    namespace = {}
    exec(MODULE, namespace)
    values = []
    for path, changed, classes in cases():
        logits = (2 * torch.randn(ROWS, classes)).requires_grad_()
        labels = torch.randint(classes, (ROWS,))
        with tempfile.TemporaryDirectory() as folder:
            file = ROOT / path
            if changed:
                weights, file = load_file(file), pathlib.Path(folder) / "loss.safetensors"
                save_file(weights, file, metadata={"reloss.loss": json.dumps(changed)})
            loss = namespace["LearnedLoss"](file)(logits, labels)
        loss.backward()
        values.append({
            "weights": path,
            "notes": changed,
            "classes": classes,
            "logits": logits.flatten().tolist(),
            "labels": labels.tolist(),
            "loss": loss.item(),
            "gradient": logits.grad.flatten().tolist(),
        })
    (HERE / "pytorch.json").write_text(json.dumps({"module": MODULE, "cases": values}) + "\n")


if __name__ == "__main__":
    main()
