#!/usr/bin/env python3
"""Forecasts of full-size networks beside the PyTorch implementation, which computes its side here and now.

usage: check_oracle.py CHECK_VECTORS [--reference FOLDER] [CONFIG...]        (default: wb_mv4)

For networks without stored vectors. Runs CHECK_VECTORS for AVX2 and AVX-512 with 1 and 2 threads. Needs met2net_torch.py in
--reference (default: ../shared/reference beside the project) and /usr/bin/python3 with torch; exit status 77 without.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

PYTHON = "/usr/bin/python3"


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("check_vectors")
    ap.add_argument("config", nargs="*", default=["wb_mv4"])
    ap.add_argument("--reference", type=pathlib.Path,
                    default=pathlib.Path(__file__).resolve().parents[2] / "shared/reference")
    a = ap.parse_args()
    oracle = a.reference / "met2net_torch.py"
    if not oracle.exists() or subprocess.run([PYTHON, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode:
        print(f"skipped: needs torch and {oracle}")
        return 77
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for config in a.config:
            path = f"{folder}/{config}.safetensors"
            subprocess.run([PYTHON, oracle, "forecast", config, path], check=True)
            for isa in ("avx2", "avx512"):
                for threads in ("1", "2"):
                    run = subprocess.run([a.check_vectors, "--threads", threads, path], env={**os.environ, "M2N_ISA": isa})
                    failed |= run.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
