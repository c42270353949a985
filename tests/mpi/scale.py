#!/usr/bin/env python3
"""The table of engine/SCALE.md: what a training step costs on 1 to 1024 processes, from one process's measured numbers.

    scale.py [GBIT_PER_SECOND [MICROSECONDS [CORES_PER_PROCESS]]]      of the network [25 5] and of a process [4]"""
import math
import sys

# core seconds of a window, MB of gradients: of `bench_step NAME 1 1`, and under mpirun
PRESETS = {"wb_mv4": (1.482, 34.340), "wb_mv5": (1.968, 34.564), "wb_mv5_hires": (3.384, 35.864), "era5_128": (5.343, 35.380)}
PARTS, SMALL_SUMS, SMALL_BYTES = 11, 65, 4096


def messages(n, megabytes, rate, latency):
    """Seconds of the gradients' sums and of the small ones, if nothing overlaps."""
    size = megabytes * 1e6 / rate
    ring = 2 * (n - 1) * latency * PARTS + 2 * (n - 1) / n * size
    if n < 4:  # Open MPI 4.1: a tree there and back
        ring = 2 * math.ceil(math.log2(n)) * (latency * PARTS + size)
    return ring, SMALL_SUMS * math.ceil(math.log2(n)) * (latency + SMALL_BYTES / rate)


def main():
    gbit, microseconds, cores = (float(sys.argv[i]) if len(sys.argv) > i else d for i, d in ((1, 25), (2, 5), (3, 4)))
    rate, latency = gbit * 1e9 / 8, microseconds * 1e-6
    print(f"{gbit:g} Gbit/s, {microseconds:g} us, {cores:g} cores and one window a process: seconds of a step")
    sizes = (2, 4, 16, 64, 256, 1024)
    print("| network | computing | " + " | ".join(f"N = {n}" for n in sizes) + " |")
    print("|---" * (2 + len(sizes)) + "|")
    for name, (seconds, megabytes) in PRESETS.items():
        step = seconds / cores
        cells = [f"{sum(messages(n, megabytes, rate, latency)):.3f}" for n in sizes]
        print(f"| `{name}` | {step:.3f} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
