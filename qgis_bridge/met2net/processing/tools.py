"""Runs a met2net tool: progress from its standard error, cancel by the signal that Ctrl-C sends."""
import os
import queue
import re
import shlex
import shutil
import signal
import subprocess
import threading
from collections import deque
from typing import NamedTuple

from qgis.core import QgsProcessingException

FOLDERS = ("/usr/local/bin", "/usr/bin")  # QGIS started from a menu may have a shorter PATH
PERCENT = re.compile(r"\s*(?:preparing \S+\s+)?(\d{1,3})%")
EPOCH = re.compile(r"epoch\s+(\d+)/(\d+)(?: \S+ (\d+)/(\d+))?")
DONE, FAILED, INTERRUPTED = 0, 1, 130
PATIENCE = 20  # seconds a tool has to leave complete files after the signal


def find(name):
    """Path of the tool; QgsProcessingException tells how to get it."""
    path = shutil.which(name) or shutil.which(name, path=os.pathsep.join(FOLDERS))
    if path is None:
        raise QgsProcessingException(f"{name} is not on the PATH: install met2net (meson install -C build), or "
                                     "add its folder in Settings > Options > System > Environment")
    return path


class Outcome(NamedTuple):
    status: int
    output: str   # standard output
    words: tuple  # the last lines of standard error that are not progress


def run(name, arguments, feedback, accept=(DONE,)):
    """Outcome of `name arguments`; None when the user stopped it.

    Any exit status but those in `accept` is a QgsProcessingException with the tool's last words.
    """
    command = [find(name), *map(str, arguments)]
    feedback.pushCommandInfo(shlex.join(command))
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace", start_new_session=True) as process:
        output, last = attend(process, feedback)
    if output is None:
        return None
    if process.returncode not in accept:
        raise QgsProcessingException("\n".join(last) or f"{name}: exit status {process.returncode}")
    return Outcome(process.returncode, "".join(output), tuple(last))


def attend(process, feedback):
    """(pieces of the output, last words) when the process has ended; (None, ...) when the user stopped it."""
    lines, output, last = queue.Queue(), [], deque(maxlen=5)
    readers = [threading.Thread(target=read_output, args=(process.stdout, output), daemon=True),
               threading.Thread(target=read_lines, args=(process.stderr, lines), daemon=True)]
    for reader in readers:
        reader.start()
    while readers[1].is_alive() or not lines.empty():
        try:
            hear(lines.get(timeout=0.1), feedback, last)
        except queue.Empty:
            pass
        if feedback.isCanceled():
            stop(process)
            return None, last
    readers[0].join()
    process.wait()
    return output, last


def read_output(stream, output):
    output.append(stream.read())


def read_lines(stream, lines):
    """Lines end with a newline, or with a carriage return where a bar is redrawn."""
    for line in stream:
        for part in line.replace("\x1b[K", "").split("\r"):
            if part.strip():
                lines.put(part.strip())


def hear(line, feedback, last):
    done = progress_of(line)
    if done is not None:
        feedback.setProgress(done)
    if done is not None and not line.startswith("epoch"):
        feedback.setProgressText(line)
    else:
        last.append(line)
        feedback.pushInfo(line)


def progress_of(line):
    """Percent that a line of a tool tells: " 42%  ...", or "epoch 3/50 [###...] 7/20"; else None."""
    found = PERCENT.match(line)
    if found:
        return min(100.0, float(found[1]))
    found = EPOCH.match(line)
    if not found:
        return None
    epoch, epochs, step, steps = (int(n) if n else None for n in found.groups())
    return 100 * (epoch if steps is None else epoch - 1 + step / max(steps, 1)) / max(epochs, 1)


def stop(process):
    process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
