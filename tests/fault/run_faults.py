#!/usr/bin/env python3
"""Every allocation, read, write, fsync, rename ... fails in turn, in a host of the driver and in each tool.

    run_faults.py [--each N | --most N | --every] [--kinds K,K] [--scenario NAME] [--jobs N]
                                                                    (M2N_BUILD names the build folder)

Calls with the same stack of callers are one place in the code: --each N [1] lets N calls of each place fail (the first,
the last, some between), --most N takes N calls per kind wherever they come from, --every takes all of them.

For each injected fault, in a fresh folder (scenarios.py: what is in it, what runs):
  1. the program with the fault: ends by itself within two minutes, with success or with an error that has a message of
     one line; success means the same result as without the fault; what it wrote is the whole result or not there;
  2. the same again without the fault over what the first left: success and the same result, so neither a lock nor a
     damaged file nor a stale cache was left behind;
  3. what is left in the folder: the inputs as they were, nothing beside them but what belongs there."""
import argparse
import collections
import concurrent.futures
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from scenarios import BUILD, scenarios

# a fault of these kinds is repaired on the spot: the caller must not notice
HARMLESS = {"short-read", "eintr-read", "short-write", "eintr-write"}
KINDS = ["alloc", "big", "open", "read", "short-read", "eintr-read", "write", "short-write", "eintr-write", "fsync",
         "rename", "close", "mmap", "thread", "lock", "stat", "mkdir"]
# the second time with "+": that call and all after it, as on a full disk
STICKY = {"alloc", "open", "read", "write", "fsync", "rename", "thread", "mkdir"}
LIMIT = 120  # seconds


def run(command, folder, scenario, **fault):
    """`fault`: M2N_FAULT_...; without any the library is not there at all."""
    env = dict(os.environ, XDG_CACHE_HOME=str(folder / "cache"), HOME=str(folder), G_DEBUG="fatal-criticals",
               GDAL_DRIVER_PATH=str(BUILD / "plugin"), LD_LIBRARY_PATH=str(BUILD / "plugin"), **scenario.env)
    if fault:
        env.update(LD_PRELOAD=str(BUILD / "tests/fault/libm2nfault.so"), M2N_FAULT_ROOT=str(folder), **fault)
    return subprocess.run([str(x) for x in command], cwd=folder / "data", env=env, timeout=LIMIT, capture_output=True,
                          text=True, errors="replace")


def make_folder(top, scenario):
    folder = pathlib.Path(tempfile.mkdtemp(dir=top))
    (folder / "data").mkdir()
    for name, data in scenario.files.items():
        (folder / "data" / name).write_bytes(data)
    for command in scenario.before:
        if run(command, folder, scenario).returncode != 0:
            raise SystemExit(f"{scenario.name}: {command} fails")
    return folder


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "absent"


def result(scenario, folder, done):
    """What has to be equal: the files made, or for want of them what was printed."""
    return [digest(folder / "data" / n) for n in scenario.outputs] or done.stdout


def calls_of(scenario, top):
    """{kind: {stack: [numbers]}}, and the result without a fault."""
    folder = make_folder(top, scenario)
    done = run(scenario.command, folder, scenario, M2N_FAULT_LOG=str(folder / "calls.log"))
    if done.returncode != 0:
        raise SystemExit(f"{scenario.name} fails without a fault: {done.stderr}")
    places = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in (folder / "calls.log").read_text().splitlines():
        kind, number, stack = line.split()
        places[kind][stack].append(int(number))
    return places, result(scenario, folder, done)


def spread(numbers, most):
    """At most so many of them: the first, the last, some between."""
    n = len(numbers)
    if n <= most:
        return numbers
    return [numbers[0]] if most == 1 else [numbers[i * (n - 1) // (most - 1)] for i in range(most)]


def faults_of(kind, stacks, args):
    everywhere = sorted(n for numbers in stacks.values() for n in numbers)
    if args.every:
        numbers = everywhere
    elif args.most:
        numbers = [everywhere[round((i + 0.5) * (len(everywhere) - 1) / args.most)]
                   for i in range(min(args.most, len(everywhere)))]
    else:
        numbers = sorted(n for each in stacks.values() for n in spread(each, args.each))
    for n in numbers:
        yield f"{kind}:{n}"
        if kind in STICKY:
            yield f"{kind}:{n}+"


def left_behind(folder, scenario, good):
    """Complaints about files."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or name in ("calls.log", "hit"):
            continue
        if name.startswith("data/") and path.name in scenario.files:
            if path.read_bytes() != scenario.files[path.name]:
                yield f"{name} was changed"
        elif name.startswith("data/") and path.name in scenario.outputs:
            if digest(path) != good[scenario.outputs.index(path.name)] and path.name not in scenario.changing:
                yield f"{name} is neither whole nor absent"
        elif name.startswith("data/") and path.name in scenario.beside:
            continue
        elif not (name.startswith("cache/met2net/") and name.endswith((".safetensors", ".m2nindex"))):
            yield f"{name} was left"


def check(scenario, top, good, fault):
    """One fault: complaints, and how it ended."""
    folder, complaints, ended = make_folder(top, scenario), [], "unhurt"
    kind = fault.split(":")[0]
    try:
        done = run(scenario.command, folder, scenario, M2N_FAULT=fault, M2N_FAULT_HIT=str(folder / "hit"))
        if not (folder / "hit").exists():
            return [], "not reached"
        if done.returncode not in (0, 1):
            complaints.append(f"exit status {done.returncode}: {done.stderr[-600:]}")
        elif done.returncode == 1 and not done.stderr.strip():
            complaints.append("an error without a message")
        elif done.returncode == 0 and result(scenario, folder, done) != good:
            complaints.append("success with another result")
        elif done.returncode == 1 and kind in HARMLESS:
            complaints.append(f"not repaired: {done.stderr[-300:]}")
        if done.returncode == 1:
            ended = "error"
        complaints += left_behind(folder, scenario, good)
        again = run(scenario.again(folder), folder, scenario)
        if again.returncode != 0 or result(scenario, folder, again) != good:
            complaints.append(f"afterwards: exit status {again.returncode}, {again.stderr[-300:]}")
        return complaints, ended
    except subprocess.TimeoutExpired:
        return ["did not end in time"], ended
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--most", type=int)
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--scenario")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    number = bad = total = 0
    with tempfile.TemporaryDirectory(prefix="met2net-faults-") as top, \
            concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for scenario in scenarios(pathlib.Path(top), args.scenario):
            places, good = calls_of(scenario, top)
            for kind in args.kinds.split(","):
                stacks = places.get(kind, {})
                faults = list(faults_of(kind, stacks, args))
                ended, complaints = collections.Counter(), []
                for fault, (found, how) in zip(faults, pool.map(lambda f: check(scenario, top, good, f), faults)):
                    complaints += [f"{fault}: {c}" for c in found]
                    ended[how] += 1
                number, bad, total = number + 1, bad + bool(complaints), total + len(faults)
                print(f"{'not ok' if complaints else 'ok'} {number} {scenario.name}/{kind} # {len(faults)} faults at "
                      f"{len(stacks)} places of {sum(map(len, stacks.values()))} calls: "
                      + ", ".join(f"{n} {how}" for how, n in sorted(ended.items())), flush=True)
                for complaint in complaints:
                    print("\n".join("# " + line for line in complaint.splitlines()), flush=True)
    print(f"# {total} faults\n1..{number}")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
