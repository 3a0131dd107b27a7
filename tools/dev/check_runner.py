"""Steps of a check that must bring back what it has found, whatever fails.

A `Check` runs steps one after the other within a time budget. After each step, result.json is
written anew and the step is printed as one line of JSON, so that both survive when the machine, or
whoever started the check, ends it. A command runs in a session of its own; when it ends or its time
is over, it and all that it has started are killed.
"""
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

LINE = 900  # Characters of a printed step: twelve fit into what a borrowed machine returns.
LOG_BYTES = 8_000_000
TERMINATED = 128 + signal.SIGTERM


class Skip(Exception):
    """This step cannot be done here, and why."""


class OutOfTime(Exception):
    """A command, or the whole check, has used up its time."""


class Finished:
    """How a command ended: its exit code, None if its time was over, in words; both streams."""

    def __init__(self, code, limit, out, err):
        self.code, self.out, self.err = code, out, err
        self.how = f"took longer than {limit:.0f} s" if code is None else f"exit code {code}"


def table_of_processes():
    """Parent of each process, by number. Not from pgrep, which a bare system may lack."""
    parents = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name of the program, in parentheses, may have blanks and parentheses in it.
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            pass  # It has ended meanwhile.
    return parents


def children_of(process):
    return sorted(pid for pid, parent in table_of_processes().items() if parent == process)


def descendants_of(process):
    parents = table_of_processes()
    found, generation = [], [process]
    while generation:
        generation = [pid for pid, parent in parents.items() if parent in generation]
        found += generation
    return found


def adopt_orphans():
    """Descendants whose parent has ended become children of this process, so that they are found.

    Without it (no Linux, no ctypes) only those in the sessions of commands are."""
    try:
        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)
    except (OSError, AttributeError):
        pass


def end_descendants():
    """Kills all that this process has started, and their descendants, and waits for them."""
    for _ in range(50):  # A process may have started another one after we had looked.
        running = descendants_of(os.getpid())
        for pid in running:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0] > 0:
                pass
        except ChildProcessError:
            return
        time.sleep(0.02)


def shortened(value, length):
    """The same value with its long texts cut; more is kept of the end, where errors say why."""
    if isinstance(value, str) and len(value) > length:
        head = length // 3
        return value[:head] + " ... " + value[-(length - head):]
    if isinstance(value, dict):
        return {key: shortened(each, length) for key, each in value.items()}
    if isinstance(value, list):
        return [shortened(each, length) for each in value]
    return value


def line_of(entry):
    """A step as one line of JSON, of at most `LINE` characters."""
    for length in [400, 150, 60, 25]:
        line = json.dumps({**shortened(entry, length), "name": entry["name"]},
                          separators=(",", ":"))
        if len(line) <= LINE:
            return line
    brief = {key: shortened(value, 300) for key, value in entry.items() if key != "result"}
    return json.dumps({**brief, "result": "too long for a line: see result.json"})


def read_json(text):
    """The JSON object in `text`, which may have other lines before it and behind it.

    Raises ValueError, with the begin of the text, if there is none."""
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        if text.startswith("{", at):
            try:
                return decoder.raw_decode(text, at)[0]
            except ValueError:
                pass
        newline = text.find("\n", at)
        at = len(text) if newline < 0 else newline + 1
    raise ValueError(f"no JSON in: {text[:500]!r}")


class Check:
    """A budget of `seconds`; `root` is where commands run; `environment` is added to theirs."""

    def __init__(self, root, seconds, environment=None):
        self.root, self.seconds = root, seconds
        self.environment = {**os.environ, **(environment or {})}
        self.begin = time.monotonic()
        self.steps = []
        self.folder = None  # Where results go; nowhere if None.
        self.log = []
        self.log_size = 0
        adopt_orphans()
        for number in [signal.SIGTERM, signal.SIGINT]:
            signal.signal(number, self._terminated)

    def _terminated(self, *_):
        """Whoever started this wants it to end: with what there is, and with nothing running."""
        self.write()
        end_descendants()
        os._exit(TERMINATED)

    def left(self):
        return self.seconds - (time.monotonic() - self.begin)

    def run(self, command, timeout=120, check=True, **environment):
        """Runs a command to its end, or for `timeout` seconds or until the budget is used up. Then
        all that it has started is gone.

        With `check`, raises RuntimeError if its exit code is not 0, and OutOfTime if it has none.
        Raises RuntimeError if there is no such program, OutOfTime if no time is left to start."""
        command = [str(part) for part in command]
        if self.left() < 2:
            raise OutOfTime("no time left")
        limit = min(timeout, self.left())
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            start = time.monotonic()
            code = self._run_until(limit, command, out, err, environment)
            finished = Finished(code, limit, _text_of(out), _text_of(err))
        self._note(command, finished, time.monotonic() - start)
        if check and code != 0:
            said = f"{' '.join(command)}\n{finished.out[-2000:]}{finished.err[-2000:]}"
            raise (OutOfTime if code is None else RuntimeError)(f"{finished.how}: {said}")
        return finished

    def start(self, command, out, err, **environment):
        """Starts a command in a session of its own."""
        try:
            return subprocess.Popen([str(part) for part in command], cwd=self.root, stdout=out,
                                    stderr=err, stdin=subprocess.DEVNULL, start_new_session=True,
                                    env={**self.environment, **environment})
        except FileNotFoundError:
            raise RuntimeError(f"there is no program {command[0]} here") from None
        except OSError as error:
            raise RuntimeError(f"{command[0]} cannot be started: {error.strerror}") from None

    def _run_until(self, limit, command, out, err, environment):
        """Its exit code; None if the time was over."""
        process = self.start(command, out, err, **environment)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            end_descendants()
            process.poll()  # It has been waited for.

    def _note(self, command, finished, took):
        text = (f"$ {' '.join(command)}\n{finished.out[-30000:]}{finished.err[-30000:]}"
                f"[{finished.how}, {took:.1f} s]\n\n")
        if self.log_size + len(text) < LOG_BYTES:
            self.log.append(text)
            self.log_size += len(text)

    def step(self, name, function):
        """Runs `function` with a dictionary for what it finds, which is kept whatever happens."""
        entry = {"name": name, "outcome": "running", "result": {}}
        self.steps.append(entry)
        start = time.monotonic()
        try:
            function(entry["result"])
            entry["outcome"] = "passed"
        except Skip as reason:
            entry["outcome"], entry["reason"] = "skipped", str(reason)
        except OutOfTime as reason:
            entry["outcome"], entry["reason"] = "out of time", str(reason)
        except Exception as error:  # pylint: disable=broad-except
            entry["outcome"] = "FAILED"
            entry["reason"] = str(error) or type(error).__name__
        entry["seconds"] = round(time.monotonic() - start, 1)
        self.write()
        print(line_of(entry), flush=True)
        return entry

    def each(self, found, work):
        """Runs every call of `work`, by name, and puts what it returns into `found`. Raises at the
        end if any failed, Skip if all were skipped. Stops when the whole time is over."""
        faults, skipped = [], []
        for name, call in work.items():
            try:
                found[name] = call()
            except Skip as reason:
                found[name] = f"skipped: {reason}"
                skipped.append(str(reason))
            except OutOfTime as reason:
                found[name] = f"out of time: {reason}"
                faults.append(name)
                if self.left() < 2:
                    break
            except Exception as error:  # pylint: disable=broad-except
                found[name] = f"FAILED: {error}"
                faults.append(name)
        if faults:
            raise RuntimeError(f"{len(faults)} of {len(work)} failed: {', '.join(faults)}; "
                               f"the first: {found[faults[0]]}")
        if len(skipped) == len(work):
            raise Skip("; ".join(sorted(set(skipped))))

    def passed(self, name):
        return any(entry["name"] == name and entry["outcome"] == "passed" for entry in self.steps)

    def write(self):
        """Writes result.json and log.txt, if there is a folder for them; each is always whole."""
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            result = {"steps": self.steps, "seconds": round(time.monotonic() - self.begin, 1)}
            _replace(self.folder / "result.json", json.dumps(result, indent=2) + "\n")
            _replace(self.folder / "log.txt", "".join(self.log))
        except OSError as error:
            print(json.dumps({"name": "writing results", "outcome": "FAILED",
                              "reason": str(error)}), flush=True)
            self.folder = None


def _text_of(stream):
    stream.seek(0)
    return stream.read().decode(errors="replace")


def _replace(path, text):
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text)
    temporary.replace(path)
