#!/usr/bin/env python3
"""Every allocation, read, write, fsync, rename ... fails in turn, in a host of the driver and in each tool.

    run_faults.py [--each N | --most N | --every] [--kinds K,K] [--scenario NAME] [--jobs N] [--log FILE]
                                                                    (M2N_BUILD names the build folder)

Calls with the same stack of callers are one place in the code, and done where a program first comes by it: --each N [1] lets N calls of each place fail (the first,
the last, some between), --most N takes N calls per kind wherever they come from, --every takes all of them.
--log FILE takes down each fault with how it ended and what was said; what stands there already and was right is not
done again, so a run that was stopped, or led to a mended program, is gone on with.

For each injected fault, in a fresh folder (scenarios.py: what is in it, what runs; judge.py):
  1. the program with the fault: ends by itself, with success or with an error of one line that names the cause or the
     file; success means the same result as without the fault; what it wrote is the whole result or not there; no memory
     lost (LSan), no file of ours left open; a host of the driver reads again in the same process, now without a fault:
     success and the same result;
  2. the same again without the fault over what the first left: success and the same result, so neither a lock nor a
     damaged file nor a stale cache was left behind;
  3. what is left in the folder: the inputs as they were, nothing beside them but what belongs there."""
import argparse
import collections
import concurrent.futures
import json
import pathlib
import sys
import tempfile

import judge
from scenarios import scenarios

KINDS = ["alloc", "big", "open", "read", "short-read", "eintr-read", "write", "short-write", "eintr-write", "fsync",
         "rename", "close", "mmap", "thread", "lock", "stat", "mkdir", "unlink", "room", "readdir"]
# what leaves no trace: not again where the same program has done it in an earlier scenario
READING = {"alloc", "big", "open", "read", "short-read", "eintr-read", "stat", "readdir"}
# the second time with "+": that call and all after it, as on a full disk
STICKY = {"alloc", "open", "read", "write", "fsync", "rename", "thread", "mkdir", "unlink"}


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
    for n in numbers if kind in STICKY else []:
        yield f"{kind}:{n}+"


class Log:
    """What was done: (scenario, fault) -> (complaints, how it ended, what it said), in a file if one is wanted."""

    def __init__(self, path):
        self.file, self.done = None, {}
        if path:
            for line in path.read_text().splitlines() if path.exists() else []:
                each = json.loads(line)
                if each["complaints"]:
                    self.done.pop((each["scenario"], each["fault"]), None)
                else:
                    self.done[each["scenario"], each["fault"]] = ([], each["ended"], each["said"])
            self.file = path.open("a")

    def add(self, scenario, fault, outcome):
        self.done[scenario, fault] = outcome
        if self.file:
            complaints, ended, said = outcome
            print(json.dumps({"scenario": scenario, "fault": fault, "ended": ended, "complaints": complaints, "said": said}),
                  file=self.file, flush=True)


def run_kind(scenario, faults, log, pool, check):
    """{complaint: faults}, and how often it ended how."""
    ended, complaints = collections.Counter(), collections.defaultdict(list)
    missing = [f for f in faults if (scenario.name, f) not in log.done]
    for fault, outcome in zip(missing, pool.map(check, missing)):
        log.add(scenario.name, fault, outcome)
    for fault in faults:
        found, how, _ = log.done[scenario.name, fault]
        for complaint in found:
            complaints[complaint].append(fault)
        ended[how] += 1
    return complaints, ended


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--most", type=int)
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--scenario", help="only these, by comma")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--log", type=pathlib.Path)
    args = parser.parse_args()
    number = bad = total = 0
    log = Log(args.log)
    if not judge.LSAN:
        print("# no liblsan.so: leaks are not looked for")
    with tempfile.TemporaryDirectory(prefix="met2net-faults-") as top, \
            concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        top = pathlib.Path(top)
        known = collections.defaultdict(set)  # (program, rank, kind) -> places
        for scenario in scenarios(top, args.scenario):
            places, good, still_open = judge.without_fault(scenario, top)
            for kind in args.kinds.split(","):
                old = known[str(scenario.command[scenario.launcher]), scenario.env.get("M2N_FAULT_RANK"), kind]
                stacks = {s: n for s, n in places.get(kind, {}).items() if kind not in READING or s not in old}
                old.update(stacks)
                faults = list(faults_of(kind, stacks, args))
                complaints, ended = run_kind(scenario, faults, log, pool,
                                             lambda f: judge.check(scenario, top, good, still_open, f))
                number, bad, total = number + 1, bad + bool(complaints), total + len(faults)
                print(f"{'not ok' if complaints else 'ok'} {number} {scenario.name}/{kind} # {len(faults)} faults at "
                      f"{len(stacks)} places of {sum(map(len, stacks.values()))} calls: "
                      + ", ".join(f"{n} {how}" for how, n in sorted(ended.items())), flush=True)
                for complaint, where in complaints.items():
                    print("\n".join("# " + line for line in f"{' '.join(where)}: {complaint}".splitlines()), flush=True)
    print(f"# {total} faults\n1..{number}")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
