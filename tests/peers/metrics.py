"""Exact metrics: this crate against sacrebleu, rouge-score, scikit-learn, pycocotools and the crate bleuscore, in one run.

    python -m venv .venv && .venv/bin/pip install -r tests/peers/requirements.txt
    .venv/bin/python tests/peers/metrics.py

Both sides make the same data (3,000 pairs of sentences, 10^6 scores with ties, 1,500 people in 500 images) and must
come to the same values within 1e-9. This crate and bleuscore use all threads, the others one; medians.
"""

import contextlib
import io
import json
import subprocess
import sys

import numpy as np
from common import ROOT, median_seconds, ours
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU
from sklearn.metrics import average_precision_score, roc_auc_score


class Numbers:
    """The generator of `tests/bench/metrics.rs`."""

    def __init__(self, seed):
        self.state = seed

    def below(self, end):
        self.state = (self.state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        return (self.state >> 33) % end


def texts(count):
    numbers, pairs = Numbers(1), []
    for _ in range(count):
        target, prediction = [], []
        for _ in range(10 + numbers.below(30)):
            word = numbers.below(1000)
            target.append(f"word{word}")
            prediction.append(f"other{word}" if numbers.below(5) == 0 else f"word{word}")
        pairs.append((" ".join(target) + ".", " ".join(prediction) + "."))
    return zip(*pairs)


def ranking(n):
    numbers, scores, relevant = Numbers(2), [], []
    for _ in range(n):
        flag = numbers.below(10) == 0
        scores.append(numbers.below(100_000) + (20_000 if flag else 0))
        relevant.append(flag)
    return np.array(scores, dtype=float), np.array(relevant)


def people(images):
    numbers, annotations, detections = Numbers(3), [], []
    for image in range(1, images + 1):
        for _ in range(3):
            corner = [numbers.below(400), numbers.below(300)]
            keypoints, found = [], []
            for _ in range(17):
                point = [c + numbers.below(100) for c in corner]
                keypoints += [*map(float, point), 2.0]
                found += [float(point[0] + numbers.below(12)), float(point[1] + numbers.below(12)), 1.0]
            annotations.append(dict(
                id=len(annotations) + 1, image_id=image, category_id=1, area=6000.0, iscrowd=0, num_keypoints=17,
                bbox=[corner[0], corner[1], 100.0, 100.0], keypoints=keypoints,
            ))
            score = numbers.below(1000) / 1000
            detections.append(dict(image_id=image, category_id=1, score=score, keypoints=found))
    return annotations, detections


def keypoint_ap(annotations, detections):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        images = [dict(id=i) for i in sorted({a["image_id"] for a in annotations})]
        truth.dataset = dict(images=images, annotations=annotations, categories=[dict(id=1, name="person")])
        truth.createIndex()
        found = truth.loadRes(detections)

        def run():
            with contextlib.redirect_stdout(io.StringIO()):
                evaluation = COCOeval(truth, found, "keypoints")
                evaluation.evaluate()
                evaluation.accumulate()
                evaluation.summarize()
            return evaluation.stats[0]

    return run


def rouge(targets, predictions):
    names = ["rouge1", "rouge2", "rougeL"]
    scorer = rouge_scorer.RougeScorer(names)
    scores = (scorer.score(t, p) for t, p in zip(targets, predictions))
    return sum(score[name].fmeasure for score in scores for name in names) / (3 * len(targets))


def bleuscore():
    """Seconds of this crate and of bleuscore, which take turns."""
    manifest = ROOT / "tests" / "peers" / "rust" / "Cargo.toml"
    command = ["cargo", "run", "--quiet", "--release", "--manifest-path", str(manifest), "--bin", "bleu"]
    times = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return times["ours"], times["peer_seconds"]


def main():
    mine = ours("metrics", sys.argv[1:])
    targets, predictions = map(list, texts(3000))
    scores, relevant = ranking(1_000_000)
    peers = {
        "BLEU": ("sacrebleu", lambda: BLEU().corpus_score(predictions, [targets]).score),
        "ROUGE": ("rouge-score", lambda: rouge(targets, predictions)),
        "ROC-AUC": ("scikit-learn", lambda: roc_auc_score(relevant, scores)),
        "average precision": ("scikit-learn", lambda: average_precision_score(relevant, scores)),
        "OKS-AP": ("pycocotools", keypoint_ap(*people(500))),
    }
    for name, (peer, run) in peers.items():
        (seconds, value), want = mine[name], run()
        assert abs(value - want) <= 1e-9 * max(1.0, abs(want)), f"{name}: {value} here, {want} by {peer}"
        other = median_seconds(run, most=5)
        print(f"{name:<18} {seconds * 1e3:>9.2f} ms  {peer:<13} {other * 1e3:>9.1f} ms {other / seconds:>7.1f}x", flush=True)
    seconds, other = bleuscore()
    print(f"{'BLEU':<18} {seconds * 1e3:>9.2f} ms  {'bleuscore':<13} {other * 1e3:>9.1f} ms {other / seconds:>7.1f}x", flush=True)
    accuracy, least = mine["accuracy"][0], mine["one pass"][0]
    print(f"accuracy of 256 x 128 x 1000: {accuracy * 1e3:.2f} ms, {accuracy / least:.2f} times one pass over memory")


if __name__ == "__main__":
    main()
