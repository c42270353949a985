"""Runs a program until it ends, or until it plainly never will: judged by its own processor time, never by the clock,
for the machine may be busy with something else, or have stopped us."""
import dataclasses
import os
import pathlib
import signal
import subprocess
import tempfile

PROCESSOR_SECONDS = 60  # a program that takes a quarter of a second
ASLEEP_SECONDS = 60  # while all its threads sleep and nothing wakes one


@dataclasses.dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str
    endless: str = ""  # why it was ended, if it was


def stat_of(path):
    """(state, parent, ticks of processor time) of a process or thread; None once it is gone."""
    try:
        fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return fields[0], int(fields[1]), int(fields[11]) + int(fields[12])


def family(pid):
    """A process and all it started."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        stat = stat_of(path)
        if stat:
            parents[int(path.name)] = stat[1]
    found = [pid]
    for each in found:
        found += [p for p, parent in parents.items() if parent == each]
    return found


def look(pid):
    """Processor seconds of the family, and whether every thread of it sleeps."""
    ticks, asleep = 0, True
    for process in family(pid):
        stat = stat_of(pathlib.Path(f"/proc/{process}"))
        ticks += stat[2] if stat else 0
        threads = [stat_of(t) for t in pathlib.Path(f"/proc/{process}/task").glob("*")]
        asleep = asleep and all(t is None or t[0] in "SZ" for t in threads)
    return ticks / os.sysconf("SC_CLK_TCK"), asleep


def wait(process):
    """Why it had to be ended, or nothing."""
    idle, before = 0, -1.0
    while True:
        try:
            process.wait(timeout=1)  # one of our own seconds: when we are stopped it does not count for more
            return ""
        except subprocess.TimeoutExpired:
            used, asleep = look(process.pid)
        idle = idle + 1 if asleep and used == before else 0
        before = used
        why = (f"still busy after {PROCESSOR_SECONDS} s of processor time" if used > PROCESSOR_SECONDS else
               f"asleep for {ASLEEP_SECONDS} s" if idle > ASLEEP_SECONDS else "")
        if why:
            for pid in reversed(family(process.pid)):
                os.kill(pid, signal.SIGKILL)
            process.wait()
            return why


def run(command, **more):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen([str(x) for x in command], stdin=subprocess.DEVNULL, stdout=out, stderr=err, **more)
        endless = wait(process)
        out.seek(0)
        err.seek(0)
        return Done(process.returncode, out.read().decode(errors="replace"), err.read().decode(errors="replace"), endless)
