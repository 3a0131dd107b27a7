#!/usr/bin/env python3
"""Runs the two programs on tools/pytorch.md as they stand there.

  pytorch_page.py STAGECRAFT SOURCES run|measure

`run` starts one process per rank and skips (77) without torch. `measure` takes stand-ins for layers
and tensors where there is no torch, and gives the profile to the program.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

SKIPPED = 77
STAGECRAFT, SOURCES, PART = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
PAGE = (SOURCES / "tools" / "pytorch.md").read_text()

try:
    import torch
except ImportError:
    torch = None


def program(name):
    """The block of the page that begins with a comment of that name."""
    return re.search(rf"```python\n(# {re.escape(name)}\n.*?)```", PAGE, re.DOTALL).group(1)


def stagecraft(*arguments):
    done = subprocess.run([STAGECRAFT, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"stagecraft {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def losses_in_torch(folder, name, ranks):
    """Starts the ranks of run_schedule.py, which reads a file of the name on the page."""
    stagecraft("convert", name, str(folder / "zb_h1.csv"), "-p", str(ranks), "-m", "4")
    (folder / "run_schedule.py").write_text(program("run_schedule.py"))
    launch = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(ranks)}
    processes = [
        subprocess.Popen(
            [sys.executable, "run_schedule.py"],
            cwd=folder,
            env={**os.environ, **launch, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]
    outcomes = [process.communicate(timeout=240) for process in processes]
    for process, (_, err) in zip(processes, outcomes):
        assert process.returncode == 0, err
    return outcomes[-1][0]


def run(folder):
    if torch is None:
        print("skipped: no torch for this Python")
        sys.exit(SKIPPED)
    commands = PAGE.split("```")[1]
    assert commands.startswith("\nstagecraft convert zb-h1 zb_h1.csv -p 2 -m 4\n"), commands
    losses = {name: losses_in_torch(folder, name, 2) for name in ("zb-h1", "1f1b", "gpipe")}
    print(f"torch {torch.__version__}: {losses}")
    # The order changes no result: one batch, one loss.
    assert losses["zb-h1"].startswith("loss ") and len(set(losses.values())) == 1, losses


class Tensor:
    """As much of a tensor as measure.py asks for."""

    def __init__(self, rows, columns):
        self.shape = (rows, columns)

    def numel(self):
        return self.shape[0] * self.shape[1]

    def element_size(self):
        return 4

    def sum(self):
        return self

    def backward(self):
        sum(range(1000))

    def detach(self):
        return self

    def requires_grad_(self):
        return self


class Linear:
    def __init__(self, inputs, outputs):
        self.weight = Tensor(outputs, inputs)

    def __call__(self, x):
        return Tensor(x.shape[0], self.weight.shape[0])

    def parameters(self):
        return [self.weight]


def measure(folder):
    page = {}
    exec(program("measure.py"), page)  # The page is ours.
    if torch is None:
        print("no torch for this Python: stand-ins for its layers")
        model, x = [Linear(8, 16), Linear(16, 16), Linear(16, 4)], Tensor(32, 8)
    else:
        sizes = ((8, 16), (16, 16), (16, 4))
        model = torch.nn.Sequential(*(torch.nn.Linear(*size, bias=False) for size in sizes))
        x = torch.randn(32, 8)
    file = str(folder / "mine.profile.json")
    page["write"](page["measure"](model, x), file)

    profile = json.loads(pathlib.Path(file).read_text())
    assert profile["microbatch_sizes"] == [32], profile
    bytes_of = [(layer["output_bytes"], layer["parameter_bytes"]) for layer in profile["layers"]]
    assert bytes_of == [(2048, 512), (2048, 1024), (512, 256)], bytes_of
    assert all(isinstance(layer["backward_ns"], int) for layer in profile["layers"]), profile
    try:
        import jsonschema

        schema = json.loads((SOURCES / "traces" / "profile.schema.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(profile)
    except ImportError:
        print("no jsonschema for this Python: only the program judges")
    table = stagecraft("compare", "1f1b", "zb-h1", "--profile", file, "--stages", "3", "-m", "4")
    assert "| zb-h1 " in table and "Linear" in table, table


with tempfile.TemporaryDirectory() as made:
    {"run": run, "measure": measure}[PART](pathlib.Path(made))
