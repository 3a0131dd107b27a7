#!/usr/bin/env python3
"""Schedules of the program against torch.distributed.pipelining, both ways; skips (77) without it.

  torch_interop.py STAGECRAFT

Our files load into its runtime's parser and pass its validation and dry run; its lists, of all its
classes, load into the program, verify and simulate. Its lowering of our lists gives our lists.
"""

import contextlib
import csv
import io
import pathlib
import re
import subprocess
import sys
import tempfile
from unittest import mock

SKIPPED = 77


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


try:
    import torch
    from torch.distributed.pipelining import _schedule_visualizer as visualizer
    from torch.distributed.pipelining import schedules as theirs
    from torch.distributed.pipelining.stage import PipelineStage
except ImportError as error:
    skip(f"no torch with its pipelining for this Python: {error}")
for needed in ("_add_send_recv", "_simulate_comms_compute", "_validate_schedule", "_Action"):
    if not hasattr(theirs, needed):
        skip(f"torch {torch.__version__} has no {needed}")

STAGECRAFT = sys.argv[1]
WITHOUT_EFFECT = re.compile(r"UNSHARD|RESHARD|REDUCE_GRAD|WAIT_SEND")

# Ours, and the name, stages per rank and known faults of theirs.
PAIRS = {
    "gpipe": ("GPipe", 1),
    "1f1b": ("1F1B", 1),
    "interleaved-1f1b": ("Interleaved1F1B", 2),
    "breadth-first": ("LoopedBFS", 2),
    "zb-v": ("ZBVZeroBubble", 2),
    "dualpipe-v": ("DualPipeV", 2),
}
ONLY_OURS = ["zb-h1", "zb-h2", "greedy", "zb-auto", "zb-auto-v"]
SIZES = [(2, 4), (4, 8), (4, 12)]

failures = 0


def expect(condition, what):
    global failures
    if not condition:
        failures += 1
        print(f"FAILED: {what}")


def run(*arguments):
    return subprocess.run([STAGECRAFT, *map(str, arguments)], capture_output=True, text=True)


def quietly(call, *arguments, **named):
    with contextlib.redirect_stdout(io.StringIO()):
        return call(*arguments, **named)


def read_rows(file):
    with open(file, newline="") as stream:
        return [row for row in csv.reader(stream)]


def actions_of(rows):
    """As their `_load_csv` reads cells, without what has no effect on the order."""
    return {
        rank: [
            theirs._Action.from_str(cell)
            for cell in row
            if cell and not WITHOUT_EFFECT.search(cell)
        ]
        for rank, row in enumerate(rows)
    }


def rank_of_stage(order):
    ranks = {}
    for rank, actions in order.items():
        for action in actions:
            for each in action.sub_actions or (action,):
                ranks[each.stage_index] = rank
    return ranks


def write(file, order):
    lines = [",".join("" if a is None else repr(a) for a in actions) for actions in order]
    pathlib.Path(file).write_text("".join(line + "\n" for line in lines))


def without_cells(order):
    """Its dry run knows no cells of two: their members, one after the other."""
    return {
        rank: [each for action in actions for each in action.sub_actions or (action,)]
        for rank, actions in order.items()
    }


def load_in_runtime(file, form, ranks, stages, microbatches):
    """What its runtime makes of a file: every action of rank 0, transfers included."""
    stage = mock.create_autospec(PipelineStage, instance=True)
    stage.group_rank, stage.group_size, stage.submod = 0, ranks, None
    stage.num_stages = stages
    runtime = theirs._PipelineScheduleRuntime([stage] * (stages // ranks), microbatches)
    quietly(runtime._load_csv, str(file), format=form)
    return runtime.pipeline_order_with_comms[0]


def check_ours(name, ranks, microbatches, folder):
    """Our files are valid to torch, and its lowering and dry run agree with ours."""
    label = f"{name} -p {ranks} -m {microbatches}"
    plain, comms = folder / "plain.csv", folder / "comms.csv"
    size = ["-p", ranks, "-m", microbatches]
    expect(run("convert", name, plain, *size).returncode == 0, f"{label}: convert")
    expect(
        run("convert", name, comms, *size, "--to", "compute_comms").returncode == 0,
        f"{label}: convert --to compute_comms",
    )
    compute = actions_of(read_rows(plain))
    ranks_of = rank_of_stage(compute)
    stages = len(ranks_of)
    try:
        theirs._validate_schedule(
            {rank: list(actions) for rank, actions in compute.items()}, ranks, stages, microbatches
        )
    except AssertionError as error:
        expect(False, f"{label}: its validation says {error}")
    lowered = theirs._add_send_recv(
        {rank: list(actions) for rank, actions in compute.items()}, ranks_of.__getitem__, stages
    )
    expect(lowered == actions_of(read_rows(comms)), f"{label}: its lowering is another than ours")
    for file, form in ((plain, "compute_only"), (comms, "compute_comms")):
        loaded = load_in_runtime(file, form, ranks, stages, microbatches)
        expect(len(loaded) >= len(lowered[0]), f"{label}: its runtime loads {form}")
    whole = {
        rank: [
            theirs._Action.from_str(cell)
            for cell in row
            if not re.search(r"UNSHARD|RESHARD|REDUCE_GRAD", cell)
        ]
        for rank, row in enumerate(read_rows(comms))
    }
    quietly(theirs._simulate_comms_compute, without_cells(whole), ranks_of.__getitem__, stages)
    steps = quietly(
        theirs._simulate_comms_compute, without_cells(lowered), ranks_of.__getitem__, stages
    )
    ours = run("simulate", comms, "--dry-run").stdout
    most = max(len(actions) for actions in steps.values())
    expect(ours == f"{most} steps\n", f"{label}: dry run of {most} steps, ours: {ours}")
    print(f"{label}: {most} steps")
    return 1


def check_theirs(name, their_name, chunks, ranks, microbatches, folder):
    """Their list loads, verifies, simulates, and is ours where both have the schedule."""
    label = f"{their_name} p {ranks} m {microbatches}"
    file = folder / "theirs.csv"
    order = quietly(visualizer.get_schedule_ops, their_name, ranks, microbatches, chunks)
    write(file, order)
    check = run("check", file)
    if their_name == "1F1B" and repr(order[-1][0]) != f"{ranks - 1}F0":
        # Published wrongly up to 2.15: the last rank begins with micro-batch 1.
        expect(check.returncode == 1, f"{label}: a wrong list is refused")
        expect(f"rank {ranks - 1}, cell 2 ({ranks - 1}B0)" in check.stderr, f"{label}: {check.stderr}")
        return 1
    expect(check.returncode == 0, f"{label}: check says {check.stderr}")
    simulated = run("simulate", file, "--forward", "1ms", "--backward", "2ms")
    expect(simulated.returncode == 0, f"{label}: simulate says {simulated.stderr}")
    if name in (None, "breadth-first"):
        return 1  # Not one of ours, or with its backwards in another order.
    plain = folder / "plain.csv"
    run("convert", name, plain, "-p", ranks, "-m", microbatches)
    expect(
        actions_of(read_rows(plain)) == actions_of(read_rows(file)), f"{label}: another than {name}"
    )
    return 1


def check_with_transfers(their_name, chunks, ranks, microbatches, folder):
    """Lists with transfers: accepted if channels are in order, refused if not."""
    done = 0
    for deferred in (False, True):
        named = {"defer_pp_recv": True} if deferred else {}
        label = f"{their_name} p {ranks} m {microbatches}, deferred {deferred}"
        try:
            order = quietly(
                visualizer.get_schedule_ops,
                their_name,
                ranks,
                microbatches,
                chunks,
                with_comms=True,
                **named,
            )
        except TypeError as error:  # An older torch has no `defer_pp_recv`.
            print(f"{label}: {error}")
            continue
        file = folder / "comms.csv"
        write(file, order)
        check = run("check", file)
        hazard = deferred and (
            their_name == "ZBVZeroBubble"
            or (their_name == "DualPipeV" and ranks > 2)
            or (their_name == "InterleavedZeroBubble" and ranks == 2)
        )
        expect(check.returncode == (1 if hazard else 0), f"{label}: check says {check.stderr}")
        if hazard:
            first = check.stderr.split("error: ")[1]
            print(f"{label}: {first.splitlines()[0]}")
            expect("[channel-order]" in first, f"{label}: {first}")
        done += 1
    return done


def main():
    compared = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for ranks, microbatches in SIZES:
            for ours in [*PAIRS, *ONLY_OURS]:
                compared += check_ours(ours, ranks, microbatches, folder)
            for ours, (their_name, chunks) in PAIRS.items():
                compared += check_theirs(ours, their_name, chunks, ranks, microbatches, folder)
            compared += check_theirs(None, "InterleavedZeroBubble", 2, ranks, microbatches, folder)
            multi = [(n, c) for n, c in PAIRS.values() if c > 1] + [("InterleavedZeroBubble", 2)]
            for their_name, chunks in multi:
                compared += check_with_transfers(their_name, chunks, ranks, microbatches, folder)
    print(f"torch {torch.__version__}: {compared} comparisons, {failures} failed")
    return 1 if failures or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
