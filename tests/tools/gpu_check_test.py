"""tools/dev/gpu_check without a GPU: on a machine that is made up of shell scripts.

Its PATH holds a shell, a few tools and the scripts below: no git, no pgrep, no package. Nothing
here measures anything; what matters is what comes back when something is missing, fails or hangs.
"""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types
import unittest
from unittest import mock

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools/dev/gpu_check"


def load():
    """gpu_check, whose name has no ending, as a module."""
    loader = importlib.machinery.SourceFileLoader("gpu_check", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("gpu_check", loader))
    loader.exec_module(module)
    return module


gpu_check = load()
# pylint: disable=wrong-import-position
import check_runner  # Beside gpu_check, which has put its folder into sys.path.
import dependency_pack

# Copies a script for each target that is not $BROKEN to where the build would have put it.
CMAKE = r"""#!/bin/sh
if [ "$1" = -S ]; then
  echo "-- LibTorch 2.11 of /torch"; echo "-- other"; echo "-- CUDA 13.0"
  exit 0
fi
while read -r target path; do
  [ "$target" = "$BROKEN" ] && continue
  mkdir -p "$2/${path%/*}"
  cp "$SCRIPTS/$target" "$2/$path"
done < "$SCRIPTS/targets"
[ -z "$BROKEN" ] || { echo "ninja: build stopped: subcommand failed." >&2; exit 1; }
"""

TEST_PROGRAM = r"""#!/bin/sh
echo "[ RUN      ] Kernels.Add"
echo "[       OK ] Kernels.Add (0 ms)"
echo "[ RUN      ] Kernels.Clip"
[ "$HANGS" = here ] && { sleep 100 & wait; }
echo "[       OK ] Kernels.Clip (1 ms)"
"""

BENCHMARK = r"""#!/bin/sh
echo "WARNING {" >&2
name=${0##*/}
echo "{ \"context\": {\"date\": \"now\"}, \"benchmarks\": ["
echo "{\"name\": \"$name/a\", \"real_time\": 1.23456, \"GB_per_s\": 7},"
echo "{\"name\": \"$name/b\", \"real_time\": 2}"
[ "$name" = "$BENCHMARK_DIES" ] && exit 9
echo "]}"
"""

# Losses 1 % apart, but for the pairs that are the same; $WRONG on a GPU is off by 1e-6.
STAGECRAFT = r"""#!/bin/sh
command=$1; approach=$2; save=; output=; metrics=; device=cpu; previous=
for argument in "$@"; do
  case $previous in
    --save) save=$argument ;;
    -o) output=$argument ;;
    --metrics) metrics=$argument ;;
    --device) device=$argument ;;
  esac
  previous=$argument
done
echo "[W] LibTorch warns { of something }" >&2
case $command in
  profile) echo '{"layers": [{"forward_ns": 1000000, "backward_ns": 2500000}]}' > "$output" ;;
  validate) echo '{"error": 0.0123456, "measured_ns": 5000000}' ;;
  train)
    if [ -n "$metrics" ]; then
      sleep 100 & child=$!
      echo "{}" > "$metrics"
      wait $child
      echo "rank 1, op 3 (1F0): its process was ended by signal $(($? - 128))" >&2
      exit 3
    fi
    case $approach in
      gpipe|1f1b) loss=1.00 ;;
      pipedream) loss=1.01 ;;
      pipedream-2bw) loss=1.02 ;;
      spectrain|xpipe) loss=1.03 ;;
      pipeoptim) loss=1.04 ;;
      pipelined-backprop) loss=1.05 ;;
      *) loss=1.06 ;;
    esac
    [ "$approach$device" = "${WRONG}cuda" ] && loss=${loss}0001
    [ -n "$save" ] && echo "weights of $approach" > "$save"
    echo "NCCL version 2.28.9"
    echo "{\"epochs\": [{\"loss\": 9}, {\"loss\": $loss}]}"
    ;;
esac
"""

NVIDIA_SMI = "#!/bin/sh\necho 'NVIDIA H200, 580.1, 143771 MiB, 1980 MHz, 1980 MHz'\n"
SANITIZER = "#!/bin/sh\necho '========= ERROR SUMMARY: 0 errors'\n"

# All that the scripts and gpu_check itself call; neither git nor pgrep nor ninja.
TOOLS = ["sh", "cp", "mkdir", "sleep"]


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Machine(unittest.TestCase):
    """A machine with a GPU, in a temporary folder."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.bin, self.scripts = self.folder / "bin", self.folder / "scripts"
        self.out, self.build = self.folder / "out", self.folder / "build"
        for each in [self.bin, self.scripts]:
            each.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        for name, text in [("nvidia-smi", NVIDIA_SMI), ("cmake", CMAKE),
                           ("compute-sanitizer", SANITIZER)]:
            self.script(self.bin / name, text)
        for target in gpu_check.PROGRAMS:
            text = (BENCHMARK if target.startswith("bench_") else
                    STAGECRAFT if target.startswith("stagecraft") else TEST_PROGRAM)
            self.script(self.scripts / target, text)
        (self.scripts / "targets").write_text(
            "".join(f"{target} {path}\n" for target, path in gpu_check.PROGRAMS.items()))

    @staticmethod
    def script(path, text):
        path.write_text(text)
        path.chmod(0o755)

    def command(self, *arguments):
        return [sys.executable, SCRIPT, "--build", self.build, *arguments]

    def environment(self, **more):
        return {"PATH": str(self.bin), "SCRIPTS": str(self.scripts), "OUT": str(self.out), **more}

    def steps_of_module(self, names=None, room=8 << 30, **environment):
        """Runs some steps in this process, by their names in the module, or all: exit code, steps
        by name as printed, and as in result.json."""
        usage = types.SimpleNamespace(total=room, free=room)
        with mock.patch.dict(os.environ, self.environment(**environment)), \
                mock.patch.object(gpu_check.shutil, "disk_usage", return_value=usage), \
                contextlib.redirect_stdout(io.StringIO()) as printed:
            check = gpu_check.GpuCheck(gpu_check.read_arguments(
                ["--build", str(self.build), "--commit", "abc"]))
            if names:
                return {name: check.step(name, getattr(check, name)) for name in names}
            code = check.all_steps()
        lines = [json.loads(line) for line in printed.getvalue().splitlines()]
        written = json.loads((self.out / "gpu_check/result.json").read_text())["steps"]
        return (code, {step["name"]: step for step in lines[:-1]},
                {step["name"]: step for step in written})


class WholeRun(Machine):

    def test_everything_comes_back_from_a_machine_without_git_and_pgrep(self):
        code, printed, written = self.steps_of_module()
        self.assertEqual([(name, step["outcome"], step.get("reason"))
                          for name, step in printed.items() if step["outcome"] != "passed"], [])
        self.assertEqual(code, 0)
        self.assertEqual(
            list(printed), list(written))
        self.assertEqual(
            list(printed),
            ["machine", "build", "GPU tests", "every approach, against main memory",
             "the same bits each time", "NCCL between processes on one GPU", "a killed rank",
             "profile and validate", "kernel benchmarks", "compute-sanitizer"])
        machine = written["machine"]["result"]
        self.assertEqual(machine["commit"], "abc")
        self.assertEqual(machine["gpus"], ["NVIDIA H200, 580.1, 143771 MiB, 1980 MHz, 1980 MHz"])
        self.assertIn("no program ninja", machine["ninja"])
        self.assertEqual(written["build"]["result"]["with"], ["LibTorch 2.11 of /torch",
                                                              "CUDA 13.0"])
        self.assertEqual(written["GPU tests"]["result"]["cuda_test"], {"passed": 2})
        self.assertEqual(written["kernel benchmarks"]["result"]["against_fused/a"],
                         {"real_time": 1.235, "GB_per_s": 7})
        self.assertEqual(written["profile and validate"]["result"]["profile gpt"],
                         {"forward": 1.0, "backward": 2.5})
        self.assertIn("signal 9", written["a killed rank"]["result"]["said"])

    def test_without_a_commit_git_is_asked_if_it_is_there(self):
        for text, expected in [(None, "unknown: there is no program git here"),
                               ("#!/bin/sh\necho deadbeef\n", "deadbeef"),
                               ("#!/bin/sh\necho 'fatal: not a git repository' >&2; exit 128\n",
                                "unknown: exit code 128")]:
            if text:
                self.script(self.bin / "git", text)
            with mock.patch.dict(os.environ, self.environment()), \
                    contextlib.redirect_stdout(io.StringIO()):
                check = gpu_check.GpuCheck(gpu_check.read_arguments([]))
                commit = check.step("machine", check.machine)["result"]["commit"]
            self.assertTrue(commit.startswith(expected), commit)

    def test_a_target_that_does_not_build_keeps_nothing_else_from_running(self):
        for path in gpu_check.PROGRAMS.values():  # Left from before: must not pass for the new.
            (self.build / path).parent.mkdir(parents=True, exist_ok=True)
            (self.build / path).touch()
        steps = self.steps_of_module(["build_programs", "gpu_tests", "same_bits"],
                                     BROKEN="cuda_test")
        build, tests = steps["build_programs"], steps["gpu_tests"]
        self.assertEqual(build["outcome"], "FAILED")
        self.assertIn("ninja: build stopped", build["reason"])
        self.assertEqual(build["result"]["not built"], ["cuda_test"])
        self.assertEqual(tests["outcome"], "passed")
        self.assertEqual(tests["result"], {"cuda_kernels_test": {"passed": 2},
                                           "cuda_fork_test": {"passed": 2},
                                           "cuda_test": "skipped: cuda_test was not built"})
        self.assertEqual(steps["same_bits"]["outcome"], "passed")

    def test_of_what_was_not_built_it_says_so(self):
        steps = self.steps_of_module(["killed_rank", "nccl", "measure"])
        for step in steps.values():
            self.assertEqual((step["outcome"], step["reason"]),
                             ("skipped", "stagecraft was not built"))

    def test_one_approach_that_differs_leaves_the_results_of_all_others(self):
        steps = self.steps_of_module(["build_programs", "approaches"], WRONG="xpipe")
        step = steps["approaches"]
        self.assertEqual(step["outcome"], "FAILED")
        self.assertTrue(step["reason"].startswith(
            "1 of 10 failed: xpipe; the first: FAILED: the losses differ: "), step)
        self.assertEqual(step["result"]["pipemare"], {"gpu": 1.06, "main_memory": 1.06})
        self.assertEqual(len(step["result"]), len(gpu_check.APPROACHES) + 1)

    def test_a_benchmark_that_dies_leaves_what_it_had_measured_and_the_others(self):
        steps = self.steps_of_module(["build_programs", "benchmarks"],
                                     BENCHMARK_DIES="device_kernels")
        step = steps["benchmarks"]
        self.assertEqual(step["outcome"], "FAILED")
        self.assertEqual(step["reason"], "1 of 4 failed: bench_device_kernels; the first: FAILED: "
                                         "exit code 9: WARNING {\n")
        self.assertEqual(step["result"]["device_kernels/b"], {"real_time": 2})
        self.assertEqual(step["result"]["op_overhead/b"], {"real_time": 2})

    def test_when_it_is_told_to_end_there_is_a_result_and_nothing_runs_on(self):
        with subprocess.Popen(self.command(), env=self.environment(HANGS="here"),
                              stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if json.loads(line)["name"] == "build":
                    break
            deadline = time.monotonic() + 30
            started = []  # The test program, and the one that it waits for.
            while len(started) < 2 and time.monotonic() < deadline:
                started = check_runner.descendants_of(process.pid)
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        self.assertEqual(process.returncode, 143)
        self.assertEqual(len(started), 2)
        self.assertEqual([pid for pid in started if is_running(pid)], [])
        steps = json.loads((self.out / "gpu_check/result.json").read_text())["steps"]
        self.assertEqual([(step["name"], step["outcome"]) for step in steps],
                         [("machine", "passed"), ("build", "passed"), ("GPU tests", "running")])

    def test_without_room_for_nccl_it_says_how_much_is_missing(self):
        step = self.steps_of_module(["build_programs", "nccl"], room=64 << 20)["nccl"]
        self.assertEqual(step["outcome"], "skipped")
        # 2 ranks: 2 edges in each of 2 directions have 4 members of 36 MB.
        self.assertIn("NCCL needs 144 MB of /dev/shm, of which 67 MB are free", step["reason"])


class WithoutAGpu(Machine):

    def test_everything_is_skipped_and_nothing_left_in_the_source_tree(self):
        (self.bin / "nvidia-smi").unlink()
        recorded = sorted((ROOT / "traces/recorded").iterdir())
        with mock.patch.dict(os.environ, self.environment()), \
                mock.patch.object(gpu_check, "DRIVER", self.folder), \
                contextlib.redirect_stdout(io.StringIO()) as printed:
            del os.environ["OUT"]
            check = gpu_check.GpuCheck(gpu_check.read_arguments(["--build", str(self.build)]))
            self.assertEqual(check.all_steps(), 0)
        self.assertEqual({step["outcome"] for step in check.steps}, {"skipped"})
        self.assertEqual(len(printed.getvalue().splitlines()), 11)
        self.assertEqual(sorted((ROOT / "traces/recorded").iterdir()), recorded)
        self.assertFalse(self.build.exists())

    def test_a_driver_that_does_not_answer_is_quoted(self):
        self.script(self.bin / "nvidia-smi", "#!/bin/sh\necho 'no devices' >&2; exit 6\n")
        if gpu_check.DRIVER.exists():
            self.skipTest("there is a GPU, whose driver is asked by its files")
        done = subprocess.run(self.command(), env=self.environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        printed = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(printed[0]["reason"], "nvidia-smi: exit code 6, no devices")
        self.assertEqual(printed[1]["reason"], "no GPU")
        self.assertEqual(sorted(os.listdir(self.out / "gpu_check")), ["log.txt", "result.json"])


class Runner(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.check = check_runner.Check(self.folder, 60)
        self.check.folder = self.folder / "out"

    def step(self, name, function):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            entry = self.check.step(name, function)
        self.assertEqual(json.loads(printed.getvalue())["name"], name)
        return entry

    def test_after_a_timeout_no_descendant_runs_and_its_output_is_kept(self):
        # A child, a grandchild, and one in a session of its own whose parent has ended.
        script = ("echo begun; sleep 100 & echo $! > a; sh -c 'sleep 100 & echo $! > b; wait' & "
                  "(setsid sleep 100 & echo $! > c); while [ ! -s b ]; do sleep 0.01; done; wait")
        done = self.check.run(["sh", "-c", script], 2, check=False)
        self.assertEqual((done.code, done.how, done.out),
                         (None, "took longer than 2 s", "begun\n"))
        for name in ["a", "b", "c"]:
            pid = int((self.folder / name).read_text())
            self.assertFalse(is_running(pid), name)
        self.assertIn("begun", "".join(self.check.log))

    def test_what_a_command_leaves_running_ends_with_it(self):
        self.check.run(["sh", "-c", "sleep 100 & echo $! > a"])
        self.assertFalse(is_running(int((self.folder / "a").read_text())))

    def test_a_command_fails_by_its_code_its_time_or_its_absence(self):
        with self.assertRaisesRegex(RuntimeError, "exit code 7: sh -c .*\nwhy"):
            self.check.run(["sh", "-c", "echo why >&2; exit 7"])
        with self.assertRaisesRegex(check_runner.OutOfTime, "took longer than 0 s"):
            self.check.run(["sleep", "100"], 0.1)
        with self.assertRaisesRegex(RuntimeError, "there is no program no-such-program here"):
            self.check.run(["no-such-program"])
        (self.folder / "data").write_text("no program")
        with self.assertRaisesRegex(RuntimeError, "data cannot be started: Permission denied"):
            self.check.run([self.folder / "data"])
        self.check.seconds = 0
        with self.assertRaisesRegex(check_runner.OutOfTime, "no time left"):
            self.check.run(["true"])

    def test_the_result_is_on_disk_after_each_step(self):
        def fails(found):
            found["before"] = 1
            raise ValueError("broken")

        def looks(found):
            found.update(json.loads((self.folder / "out/result.json").read_text())["steps"][0])

        self.step("first", fails)
        first = self.step("second", looks)["result"]
        self.assertEqual((first["outcome"], first["reason"], first["result"]),
                         ("FAILED", "broken", {"before": 1}))

    def test_parts_of_a_step_do_not_depend_on_each_other(self):
        def fail():
            raise RuntimeError("b is broken")

        def skip():
            raise check_runner.Skip("no c")

        entry = self.step("parts", lambda found: self.check.each(
            found, {"a": lambda: 1, "b": fail, "c": skip, "d": lambda: 4}))
        self.assertEqual((entry["outcome"], entry["reason"]),
                         ("FAILED", "1 of 4 failed: b; the first: FAILED: b is broken"))
        self.assertEqual(entry["result"],
                         {"a": 1, "b": "FAILED: b is broken", "c": "skipped: no c", "d": 4})
        only = self.step("skipped", lambda found: self.check.each(found, {"c": skip}))
        self.assertEqual((only["outcome"], only["reason"]), ("skipped", "no c"))

    def test_a_folder_that_cannot_be_written_does_not_stop_the_check(self):
        (self.folder / "file").touch()
        self.check.folder = self.folder / "file/out"
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.check.step("first", lambda found: found.update(a=1))
        self.assertEqual([json.loads(line)["name"] for line in printed.getvalue().splitlines()],
                         ["writing results", "first"])

    def test_a_printed_step_is_one_short_line(self):
        long = {"name": "n", "outcome": "FAILED", "reason": "x" * 9000 + "\nthe end",
                "result": {"some": ["y" * 2000] * 3}}
        line = check_runner.line_of(long)
        self.assertLessEqual(len(line), check_runner.LINE)
        self.assertTrue(json.loads(line)["reason"].endswith("the end"))
        many = {"name": "n", "outcome": "passed", "result": {str(i): i for i in range(1000)}}
        self.assertLessEqual(len(check_runner.line_of(many)), check_runner.LINE)


class Reading(unittest.TestCase):

    def test_json_is_found_amid_other_lines(self):
        told = {"loss": 1.5, "more": [{"a": {}}]}
        for text in [json.dumps(told), "NCCL version 2\n" + json.dumps(told, indent=2) + "\nbye {",
                     "{ not json\n" + json.dumps(told)]:
            self.assertEqual(check_runner.read_json(text), told)
        with self.assertRaisesRegex(ValueError, "no JSON in: 'nothing'"):
            check_runner.read_json("nothing")

    def test_benchmarks_are_read_up_to_where_the_text_ends(self):
        text = ('{"context": {"cpus": 2}, "benchmarks": [\n'
                ' {"name": "a/manual_time", "real_time": 0.12345},\n')
        self.assertEqual(gpu_check.benchmark_results(text + ' {"name": "b", "real_t'),
                         {"a": {"real_time": 0.123}})

    def test_the_first_failure_of_a_test_program(self):
        text = ("[ RUN      ] A.B\na_test.cc:3: Failure\nExpected: 1\n[  FAILED  ] A.B (0 ms)\n"
                "b_test.cc:4: Failure\n")
        self.assertEqual(gpu_check.first_failure(text), "a_test.cc:3: Failure\nExpected: 1\n")

    def test_a_task_that_does_not_tell_approaches_apart_is_no_check(self):
        losses = {name: 1 + 0.01 * i for i, name in enumerate(gpu_check.APPROACHES)}
        losses["1f1b"], losses["xpipe"] = losses["gpipe"], losses["spectrain"]
        gpu_check.check_told_apart(losses)
        losses["pipemare"] = losses["pipedream"] * (1 + 2e-4)
        with self.assertRaisesRegex(RuntimeError, "does not tell pipedream from pipemare"):
            gpu_check.check_told_apart(losses)


class Pack(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp()) / "pack"
        self.addCleanup(shutil.rmtree, self.folder.parent)

    def test_libraries_have_the_names_by_which_programs_look_for_them(self):
        try:
            dependency_pack.pack(self.folder)
        except FileNotFoundError as error:
            self.skipTest(str(error))
        shared = list((self.folder / "lib").glob("*.so*"))
        self.assertEqual(len(shared), 1)
        for library in shared:
            listed = subprocess.run(["readelf", "-d", library], check=True, text=True,
                                    stdout=subprocess.PIPE).stdout
            self.assertIn(f"soname: [{library.name}]", listed)
        text = "".join(file.read_text() for file in self.folder.rglob("*Config.cmake"))
        self.assertIn("/lib/" + shared[0].name, text)
        self.assertNotIn("@", text)

    def test_a_package_that_is_missing_is_named(self):
        with mock.patch.object(dependency_pack, "find_header",
                               side_effect=FileNotFoundError("no header fmt")), \
                contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(gpu_check.pack_into(self.folder), 3)
        self.assertEqual(said.getvalue(),
                         "gpu_check: nothing to pack: no header fmt; expected the packages that "
                         "tools/install-packages installs\n")


if __name__ == "__main__":
    unittest.main()
