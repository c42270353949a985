"""What all command-line tools have in common: help, version, and a line for what was mistyped.

usage: check_frame.py TOOL..."""
import pathlib
import re
import subprocess
import sys

import tap


def run(tool, *options):
    done = subprocess.run([tool, *options], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return done.returncode, done.stdout, done.stderr


for tool in sys.argv[1:]:
    name = pathlib.Path(tool).name
    status, out, err = run(tool, "--version")
    tap.check(f"{name}: --version", bool((status, err) == (0, "") and re.fullmatch(rf"{name} \d+\.\d+\.\d+\n", out)), out + err)
    status, out, err = run(tool, "--help")
    tap.check(f"{name}: --help", (status, err) == (0, "") and "--version" in out, out + err)
    with open("/dev/full", "w") as full:
        done = subprocess.run([tool, "--help"], text=True, stdout=full, stderr=subprocess.PIPE, timeout=60)
    tap.check(f"{name}: a full disk", done.returncode == 1 and done.stderr.startswith(f"{name}: standard output: ") and
              done.stderr.count("\n") == 1, f"{done.returncode} {done.stderr}")
    done = subprocess.run(["sh", "-c", '"$0" --help >&-', tool], text=True, stderr=subprocess.PIPE, timeout=60)
    tap.check(f"{name}: no output wanted", (done.returncode, done.stderr) == (0, ""), f"{done.returncode} {done.stderr}")
    status, out, err = run(tool, "--vesion")
    tap.check(f"{name}: what was meant", (status, out, err) ==
              (2, "", f"{name}: Unknown option --vesion; did you mean --version?\n"), err)
    status, out, err = run(tool, "--nothing-like-it")
    tap.check(f"{name}: nothing near", status == 2 and err.count("\n") == 1 and "mean" not in err, err)
    status, out, err = run(tool)
    tap.check(f"{name}: nothing to work on", (status, out) == (2, "") and bool(re.search("--help", err)), err)
tap.finish()
