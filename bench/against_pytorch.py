#!/usr/bin/env python3
"""Seconds per batch of three models on two ranks: Stagecraft's against torch.distributed.pipelining's.

    bench/against_pytorch.py [--rounds 3] [--python PYTHON]

PYTHON needs `torch` with torch.distributed.pipelining; its torchrun starts two processes over Gloo,
one thread each. Stagecraft's two ranks are threads (`bench/training_speed`). The two take turns, and
the table has medians, so look at the ratio. The models are 8 x (linear + ReLU) of 64 or 1024 and a
gpt of 4 blocks, SGD with momentum after each batch of 8 micro-batches: those of training_speed.cc.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

MICROBATCHES = 8
MODELS = {"tiny": 0, "mlp": 1, "gpt": 2}
SCHEDULES = {"1f1b": 0, "gpipe": 1}
BATCHES = {"tiny": 40, "mlp": 10, "gpt": 5}
WARM_UP = 3


def make_model(name):
    """All stages' layers, one micro-batch of input, targets for it, and the loss."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
            self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            self.heads = heads

        def forward(self, x):
            batch, length, width = x.shape
            q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2)
                       for part in self.project(self.norms[0](x)).chunk(3, -1))
            seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(seen.transpose(1, 2).reshape(batch, length, width))
            return x + self.mlp(self.norms[1](x))

    class Embedding(nn.Module):
        def __init__(self, vocabulary, length, width):
            super().__init__()
            self.tokens = nn.Embedding(vocabulary, width)
            self.positions = nn.Parameter(torch.zeros(length, width))

        def forward(self, tokens):
            return self.tokens(tokens) + self.positions

    if name == "gpt":
        vocabulary, length, width, size = 512, 128, 256, 4
        layers = ([Embedding(vocabulary, length, width)] + [Block(width, 4) for _ in range(4)] +
                  [nn.Sequential(nn.LayerNorm(width), nn.Linear(width, vocabulary))])

        def loss(output, target):
            return nn.functional.cross_entropy(output.flatten(0, 1), target.flatten())
        tokens = torch.randint(vocabulary, (size * MICROBATCHES, length))
        return layers, tokens, tokens.roll(-1, 1), loss
    width, size = (64, 8) if name == "tiny" else (1024, 32)
    layers = [nn.Sequential(nn.Linear(width, width), nn.ReLU()) for _ in range(8)]
    x, y = torch.randn(size * MICROBATCHES, width), torch.randn(size * MICROBATCHES, width)
    return layers, x, y, nn.functional.mse_loss


def work(name, schedule):
    """One rank: what torchrun starts. Rank 0 prints the seconds per batch."""
    import torch
    import torch.distributed as dist
    from torch.distributed import pipelining
    torch.set_num_threads(1)
    torch.manual_seed(1)
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    layers, x, y, loss = make_model(name)
    half = len(layers) // 2
    module = torch.nn.Sequential(*(layers[:half] if rank == 0 else layers[half:]))
    stage = pipelining.PipelineStage(module, rank, ranks, torch.device("cpu"))
    make = {"1f1b": pipelining.Schedule1F1B, "gpipe": pipelining.ScheduleGPipe}[schedule]
    pipeline = make(stage, MICROBATCHES, loss_fn=loss)
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9)

    def batch():
        pipeline.step(x) if rank == 0 else pipeline.step(target=y)
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(WARM_UP):
        batch()
    dist.barrier()
    begin = time.perf_counter()
    for _ in range(BATCHES[name]):
        batch()
    dist.barrier()
    if rank == 0:
        print((time.perf_counter() - begin) / BATCHES[name])
    dist.destroy_process_group()


def time_pytorch(python, name, schedule):
    command = [python, "-m", "torch.distributed.run", "--nproc-per-node", "2", __file__, "--work", name,
               schedule]
    run = subprocess.run(command, check=True, capture_output=True, text=True,
                         env={**os.environ, "OMP_NUM_THREADS": "1"})
    return float(run.stdout.split()[-1])


def time_stagecraft(program, name, schedule):
    command = [program, f"--benchmark_filter=TwoRanks/.*:{MODELS[name]}/gpipe:{SCHEDULES[schedule]}/",
               "--benchmark_format=json"]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    counters = json.loads(run.stdout)["benchmarks"][0]
    return counters["two_ranks_ms"] / 1e3, counters["one_rank_ms"] / 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/release/bench/training_speed")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", nargs=2, metavar=("MODEL", "SCHEDULE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(*arguments.work)
        return
    print("| model, schedule | 1 rank, ms | 2 ranks, ms | PyTorch, 2 ranks, ms | PyTorch's time / ours "
          "(of each round) |")
    print("|:--|--:|--:|--:|--:|")
    for name in MODELS:
        for schedule in SCHEDULES:
            ours, one, theirs = [], [], []
            for _ in range(arguments.rounds):
                two_ranks, one_rank = time_stagecraft(arguments.program, name, schedule)
                ours.append(two_ranks)
                one.append(one_rank)
                theirs.append(time_pytorch(arguments.python, name, schedule))
            ratios = sorted(b / a for a, b in zip(ours, theirs))
            print(f"| {name}, {schedule} | {1e3 * statistics.median(one):.1f} "
                  f"| {1e3 * statistics.median(ours):.1f} | {1e3 * statistics.median(theirs):.1f} "
                  f"| {statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f}) |",
                  flush=True)


if __name__ == "__main__":
    main()
