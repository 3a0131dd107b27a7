#!/usr/bin/env python3
"""How well measured training times are predicted: three models on two ranks, a rehearsal on eight.

    bench/prediction.py [--program build/release/tools/stagecraft] [--runs 5]

Costs are of the first half of a run, the prediction is of the second half; or costs are of every
other batch, the prediction of those between (`--alternate`): see `stagecraft validate --help`. Errors
are medians of the runs, of absolute values; the range is over all runs. Prints a Markdown table. Times
depend on what else the machine does: the difference between the two predictions is its drift.
"""
import argparse
import json
import statistics
import subprocess

# Sizes that make every op take 2 ms or more on a core of 2023.
MODELS = {
    "mlp": ["--model", "mlp", "--width", "1536", "--microbatch-size", "32"],
    "convnet": ["--model", "convnet", "--width", "64", "--microbatch-size", "18"],
    "gpt": ["--model", "gpt", "--width", "128", "--length", "64", "--microbatch-size", "8"],
}
SCHEDULES = {"1f1b": ["-m", "8", "-n", "32"],
             "pipeoptim": ["-m", "8", "-n", "32", "--drain-every", "16"]}
REHEARSAL = ["1f1b", "-p", "8", "-m", "16", "--forward", "5ms", "--backward", "10ms", "--rehearse"]


def validate(program, flags, runs):
    command = [program, "validate"] + flags + ["--runs", str(runs), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def errors(values):
    median = statistics.median(abs(value) for value in values)
    return f"{100 * median:.2f} % ({100 * min(values):+.2f} to {100 * max(values):+.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/release/tools/stagecraft")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    print("| run | shortest op, ms | measured, ms | naive formula | replay error | error, second half from "
          "first | error, every other batch |")
    print("|:--|--:|--:|--:|--:|--:|--:|")
    for name, schedule in SCHEDULES.items():
        for model, flags in MODELS.items():
            flags = [name, "-p", "2"] + schedule + flags
            found = validate(arguments.program, flags, arguments.runs)
            alternate = validate(arguments.program, flags + ["--alternate"], arguments.runs)
            shortest = min(kind["measured_ns"] / kind["ops"] for kind in found["kinds"]
                           if kind["kind"] in "FB") / 1e6
            naive = found["measured_ns"] / found["training"]["naive_ns"] - 1
            print(f"| {model}, {name}, 2 ranks | {shortest:.2f} | {found['measured_ns'] / 1e6:.0f} "
                  f"| {100 * naive:+.1f} % | {errors(found['training']['replay_errors'])} "
                  f"| {errors(found['errors'])} | {errors(alternate['errors'])} |", flush=True)
    found = validate(arguments.program, REHEARSAL, arguments.runs)
    print(f"| rehearsal, 1f1b, 8 ranks | 5.00 | {found['measured_ns'] / 1e6:.0f} | | "
          f"| {errors(found['errors'])} | |")


if __name__ == "__main__":
    main()
