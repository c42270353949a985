#!/usr/bin/python3
"""met2net-forecast at work: 200 inputs, 5 of them bad; a second run; a kill half way; one job against two.  Minutes.

usage: long_batch.py MET2NET_FORECAST [INPUTS]      (the short form of this is check_forecast.py)"""
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "plugin"))
import fixture  # noqa: E402
from tap import check, finish  # noqa: E402

os.environ.pop("PROJ_LIB", None)
PROGRAM, N = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200
BAD = 5


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in pathlib.Path(folder).iterdir()}


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/in")
        fixture.write_model(f"{folder}/model.safetensors")
        for i in range(N):
            path = pathlib.Path(f"{folder}/in/{i:04}.grib2")
            fixture.write_analysis(path, hours=range(4, 7), seed=i)
            if i % (N // BAD) == 1:
                path.write_bytes(path.read_bytes()[:20000])

        def command(out, jobs=1):
            return [PROGRAM, "-m", f"{folder}/model.safetensors", "-l", "10d", "-j", str(jobs), "-d", out, "-o",
                    "{input}.nc", f"{folder}/in/*.grib2"]

        def timed(out, jobs=1):
            start = time.time()
            p = subprocess.run(command(out, jobs), capture_output=True, text=True)
            return p, time.time() - start

        one, t1 = timed(f"{folder}/one")
        errors = [line for line in one.stderr.splitlines() if line.startswith("met2net-forecast: ")]
        check(f"{N - BAD} outputs, {BAD} named errors, exit 1", one.returncode == 1 and len(errors) == BAD and
              len(os.listdir(f"{folder}/one")) == N - BAD, one.stderr)
        again, t = timed(f"{folder}/one")
        check("the second run makes nothing", again.returncode == 1 and again.stdout == "", again.stderr)
        two, t2 = timed(f"{folder}/two", 2)
        check("two jobs: the same bytes", digests(f"{folder}/one") == digests(f"{folder}/two"))
        p = subprocess.Popen(command(f"{folder}/three", 2), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(N // 2):
            p.stdout.readline()
        p.send_signal(signal.SIGKILL)
        p.wait()
        half = len([n for n in os.listdir(f"{folder}/three") if not n.startswith(".")])
        rest, t = timed(f"{folder}/three", 2)
        check(f"killed at {half} and started again: the set is complete and the same",
              half < N - BAD and digests(f"{folder}/three") == digests(f"{folder}/one"), rest.stderr)
        print(f"# one job {t1:.1f} s, two jobs {t2:.1f} s: {t1 / t2:.2f} times faster")
    finish()


if __name__ == "__main__":
    main()
