#!/usr/bin/env python3
"""Count what Meson's testlog.json holds and show what failed.  usage: report.py TESTLOG.JSON STATUS

A test that prints TAP counts once per subtest, and once more as failed when it died on top; any other
counts as one.  STATUS is the exit status of `meson test`: a run it calls bad is never reported as good."""
import json
import pathlib
import re
import shlex
import sys

TAP = re.compile(r"^(not ok|ok)\b([^#\n]*)(?:#\s*(skip|todo)\b)?", re.IGNORECASE | re.MULTILINE)
PLAN = re.compile(r"^1\.\.\d", re.MULTILINE)  # without it "ok ..." is just what some tool said
TAIL = 40  # lines of a failed test's output to show


def count(test):
    """(passed, failed, skipped, names of failed subtests) of one test."""
    passed = failed = skipped = 0
    names = []
    output = test["stdout"] or ""
    for word, name, directive in TAP.findall(output) if PLAN.search(output) else []:
        if directive:
            skipped += 1
        elif word.lower() == "ok":
            passed += 1
        else:
            failed += 1
            names.append(name.strip())
    result = test["result"]
    if result == "SKIP":
        skipped += not (passed or failed or skipped)
    elif result in ("OK", "EXPECTEDFAIL"):
        passed += not (passed or failed or skipped)
    else:
        failed += not failed
    return passed, failed, skipped, names


def show(test, names):
    print(f"\n--- {test['result']}: {test['name']}" + "".join(f"\n    {n}" for n in names))
    output = (test["stdout"] or "") + (test.get("stderr") or "")
    for line in output.splitlines()[-TAIL:]:
        print(f"    | {line}")
    print(f"    run it alone: {shlex.join(test['command'])}")


def main():
    log, status = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    tests = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    total = [0, 0, 0]
    for test in tests:
        *numbers, names = count(test)
        total = [a + b for a, b in zip(total, numbers)]
        if numbers[1]:
            show(test, names)
    for test in tests:
        for line in re.findall(r"^ok\b.*#\s*skip.*$", test["stdout"] or "", re.IGNORECASE | re.MULTILINE):
            print(f"skipped: {test['name']}: {line}")
        if test["result"] == "SKIP" and "ok " not in (test["stdout"] or ""):
            said = (test["stdout"] or test.get("stderr") or "no word why").strip()
            print(f"skipped: {test['name']}: {said[-200:]}")
    if status and not total[1]:
        print(f"meson test failed with status {status}")
        total[1] = 1
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
