#!/usr/bin/env python3
"""tests/report.py counts right: the closing line of tests/run.sh is only as good as this."""
import json
import pathlib
import subprocess
import sys
import tempfile

REPORT = pathlib.Path(__file__).resolve().parents[1] / "report.py"


def run(tests, status=0):
    """(exit status, last line) of report.py on a made-up log of (result, stdout) pairs."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        for i, (result, stdout) in enumerate(tests):
            f.write(json.dumps({"name": f"t{i}", "result": result, "stdout": stdout, "command": ["true"]}) + "\n")
        f.flush()
        r = subprocess.run([sys.executable, REPORT, f.name, str(status)], capture_output=True, text=True)
    return r.returncode, r.stdout.splitlines()[-1]


CASES = [
    ("subtests", [("OK", "1..3\nok 1 /a\n# note\nok 2 /b # SKIP no file\nok 3 /c\n")], 0, (0, "2 passed, 0 failed, 1 skipped")),
    ("plain", [("OK", "ok 1\nok, said the tool\nhello"), ("OK", "")], 0, (0, "2 passed, 0 failed, 0 skipped")),
    ("plain fails", [("FAIL", ""), ("OK", "")], 1, (1, "1 passed, 1 failed, 0 skipped")),
    ("subtest fails", [("FAIL", "1..2\nok 1 /a\nnot ok 2 /b\n")], 1, (1, "1 passed, 1 failed, 0 skipped")),
    ("died half way", [("ERROR", "1..3\nok 1 /a\nBail out!\n")], 1, (1, "1 passed, 1 failed, 0 skipped")),
    ("timed out", [("TIMEOUT", "1..9\nok 1 /a\n")], 1, (1, "1 passed, 1 failed, 0 skipped")),
    ("whole test skipped", [("SKIP", "1..0 # SKIP none here"), ("OK", "")], 0, (0, "1 passed, 0 failed, 1 skipped")),
    ("todo is no pass", [("OK", "not ok 1 /a # TODO later\nok 2 /b\n1..2\n")], 0, (0, "1 passed, 0 failed, 1 skipped")),
    ("only skipped", [("SKIP", "")], 0, (1, "0 passed, 0 failed, 1 skipped")),
    ("nothing ran", [], 0, (1, "0 passed, 0 failed, 0 skipped")),
    ("meson says no", [("OK", "")], 2, (1, "1 passed, 1 failed, 0 skipped")),
]


def main():
    print(f"1..{len(CASES)}")
    bad = 0
    for i, (name, tests, status, want) in enumerate(CASES, 1):
        got = run(tests, status)
        print(f"{'ok' if got == want else 'not ok'} {i} /report/{name.replace(' ', '-')}")
        if got != want:
            print(f"# wanted {want}, got {got}")
            bad += 1
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
