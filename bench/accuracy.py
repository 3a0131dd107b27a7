#!/usr/bin/env python3
"""Test accuracy on the digits, by approach and optimizer: mean and deviation over seeds.

    bench/accuracy.py [--program build/release/tools/stagecraft] [--seeds 5] [--epochs 20]

Every approach gets the same model, the same 16 samples per update, the same learning rate and the
same number of epochs: those that pipeline micro-batches get four of 4 samples per update, those that
pipeline whole batches one of 16. Prints a Markdown table.
"""
import argparse
import json
import statistics
import subprocess

MICROBATCHES = ["--microbatch-size", "4", "-m", "4"]
BATCHES = ["--microbatch-size", "16", "-m", "4"]
APPROACHES = {
    "gpipe": MICROBATCHES,
    "pipedream": BATCHES,
    "pipedream-2bw": MICROBATCHES,
    "spectrain": BATCHES,
    "pipeoptim": BATCHES,
}
OPTIMIZERS = {
    "SGD, momentum 0.9, rate 0.02": ["--optimizer", "sgd", "--lr", "0.02"],
    "AdamW, rate 0.002": ["--optimizer", "adamw", "--lr", "0.002", "--weight-decay", "0.01"],
}


def accuracy(program, approach, flags, seed, epochs):
    command = [program, "train", approach, "-p", "4", "--epochs", str(epochs), "--seed", str(seed)]
    result = subprocess.run(command + flags + ["--json"], check=True, capture_output=True)
    return 100 * json.loads(result.stdout)["epochs"][-1]["accuracy"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/release/tools/stagecraft")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    print("| approach | " + " | ".join(OPTIMIZERS) + " |")
    print("|:--|" + "--:|" * len(OPTIMIZERS))
    for approach, flags in APPROACHES.items():
        cells = []
        for optimizer in OPTIMIZERS.values():
            found = [accuracy(arguments.program, approach, flags + optimizer, seed, arguments.epochs)
                     for seed in range(arguments.seeds)]
            cells.append(f"{statistics.mean(found):.2f} ± {statistics.stdev(found):.2f}")
        print(f"| {approach} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
