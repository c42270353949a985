#!/usr/bin/env python3
"""What begins with #! may be run, and nothing else; the scripts that a README tells people to run are there and may be run."""
import os
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
listed = subprocess.run(["git", "-C", root, "ls-files"], capture_output=True, text=True)
if listed.returncode != 0:
    print("skipped: only git knows what is ours")
    sys.exit(77)
files = [root / f for f in listed.stdout.split() if (root / f).is_file()]
runnable = {f.relative_to(root).as_posix() for f in files if os.access(f, os.X_OK)}
complaints = []
for f in files:
    name = f.relative_to(root).as_posix()
    with f.open("rb") as content:
        if (content.read(2) == b"#!") != (name in runnable):
            complaints.append(f"{name}: {'is executable without #!' if name in runnable else 'begins with #! and is not executable'}")

# a line of a block, or code in a sentence: assignments, then the script
command = re.compile(r"(?:^|`)(?:[A-Z0-9_]+=\S+ )*((?:[\w.]+/)+[\w.]+\.(?:py|sh))(?= |$|`)", re.MULTILINE)
told = [(f, name) for f in files if f.suffix == ".md" for name in command.findall(f.read_text())]
for f, name in told:
    if name not in runnable and "test_" not in name:  # tests are run by Meson
        complaints.append(f"{f.relative_to(root)}: {name}: not there, or not executable")
print("\n".join(complaints + [f"{len(told)} commands, {len(complaints)} complaints"]))
sys.exit(bool(complaints) or not told)
