#!/usr/bin/env python3
"""Every relative link and picture of every README leads to a file that is part of the project."""
import pathlib
import re
import subprocess
import sys

if len(sys.argv) != 2:
    sys.exit("usage: check_links.py ROOT")
root = pathlib.Path(sys.argv[1])
listed = subprocess.run(["git", "-C", root, "ls-files"], capture_output=True, text=True)
files = listed.stdout.split() if listed.returncode == 0 else [p.relative_to(root).as_posix() for p in root.rglob("*")]
folders = {p.as_posix() for f in files for p in pathlib.PurePosixPath(f).parents}
bad = count = 0
for name in (f for f in files if f.endswith(".md")):
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (root / name).read_text()):
        count += 1
        target = (root / name).parent.joinpath(link).resolve().relative_to(root.resolve()).as_posix()
        if target not in files and target not in folders:
            print(f"{name}: {link}: no such file")
            bad += 1
print(f"{count} links, {bad} broken")
sys.exit(bad > 0 or count == 0)
