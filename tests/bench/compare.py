#!/usr/bin/env python3
"""One table: a forecast by met2net, ONNX Runtime and PyTorch, alternating in one run on the same machine.

usage: compare.py --build BUILD [--reference FOLDER] [--install] [--configs a,b] [--threads 1,2] [--runs 7] [--isa avx2]
       compare.py --build BUILD --train [--steps wb_mv5:1,wb_mv5:4] ...      a training step, PyTorch the peer

met2net is BUILD/tests/bench_forecast.  The peers need the PyTorch implementation met2net_torch.py in --reference
(default: ../shared/reference beside the project) and /usr/bin/python3 with torch.  ONNX Runtime's Node package is
looked for in --cache; with --install it is fetched into it with npm (install scripts off).  A peer that is not there
is said to be absent and left out.  One forecast of each side in turn, medians over --runs after one warm-up; a pause
between sides lets the threads of the last one go to sleep. On a busy machine look at the processor seconds of the
rows with one thread.  The first forecast is the median over --runs new processes, beside the largest of them.

--isa avx2 is a machine without AVX-512: M2N_ISA for met2net, ONEDNN_MAX_CPU_ISA for PyTorch, and for both peers
BUILD/tests/cap_avx2.so, which hides it from CPUID (ONNX Runtime has no setting for it).
"""
import argparse
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SIZES = {"wb_mv4": (4, 32, 64, 2), "wb_mv5": (5, 32, 64, 2), "wb_mv5_hires": (5, 64, 128, 4), "era5_128": (4, 128, 128, 4)}
T, S, D, L = 12, 32, 256, 8
PYTHON = "/usr/bin/python3"


def gflop(name, passes=(1, 1, 1)):
    """Multiply-adds of a forecast, times two, as the formulas count them; or of so many passes over the translator, the
    encoders and the decoders."""
    v, height, width, stages = SIZES[name]
    shrink = 2 ** (stages // 2)
    hw = height * width // shrink ** 2
    translator = v * hw * (L * (15 * D * D + D * (25 + 49) + 4 * D * 9) + 2 * T * S * D)
    encoder = decoder = 0
    px = height * width
    for i in range(stages):
        px //= 4 if i % 2 else 1
        encoder += px * 9 * S * (1 if i == 0 else S)
    for i in reversed(range(stages)):
        decoder += px * 9 * S * S * (4 if i % 2 else 1)
        px *= 4 if i % 2 else 1
    return 2e-9 * (passes[0] * translator + v * T * (passes[1] * encoder + passes[2] * (decoder + px * S)))


# Translator: both branches forward, the key's back for inputs, the query's for inputs and weights.  Encoders: x, y, x
# again on the way back, inputs, weights.  Decoders: both forward, one back for inputs and weights.
STEP = (5, 5, 4)


class Side:
    """A program that makes one forecast, or training step, for each line it reads."""

    def __init__(self, command, env=None, max_bytes=None):
        limit = None if max_bytes is None else lambda: resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, env=env, preexec_fn=limit)
        self.times, self.cpu = [], []
        self.load = None

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            words = line.split()
            if not words:
                raise RuntimeError(f"{self.process.args[0]} ended early")
            if words[-2] == "load":
                self.load = float(words[-1])
            if words[-2] in ("run", "first"):
                return float(words[-1])

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def measure(self):
        before = self.cpu_seconds()
        self.times.append(self.run())
        self.cpu.append(self.cpu_seconds() - before)

    def finish(self):
        rest = self.process.communicate()[0].split()
        return int(rest[rest.index("peak_kb") + 1]) / 1024


def make_files(reference, folder, names, onnx):
    """Model files of the made-up weights, for met2net and for ONNX Runtime."""
    code = f"""
import sys; sys.path.insert(0, {str(reference)!r})
import met2net_torch as m
from dataclasses import asdict
for name in {names!r}:
    c = m.CONFIGS[name]
    state = {{k: v for k, v in m.made_up_state(c).items() if "_q" in k}}
    m.save_safetensors({str(folder)!r} + "/" + name + ".safetensors", state, {{"config": asdict(c)}})
"""
    subprocess.run([PYTHON, "-c", code], check=True)
    for name in names if onnx else []:
        subprocess.run([PYTHON, reference / "met2net_torch.py", "onnx", name, folder / f"{name}.onnx"], check=True,
                       stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def find_peers(a):
    """(PyTorch is there, folder of ONNX Runtime's node_modules or None)"""
    torch = (a.reference / "met2net_torch.py").exists() and subprocess.run(
        [PYTHON, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0
    modules = a.cache / "node_modules"
    package = a.reference / "onnxruntime" / "package.json"
    if a.install and not modules.exists() and package.exists() and shutil.which("npm"):
        a.cache.mkdir(parents=True, exist_ok=True)
        shutil.copy(package, a.cache)
        subprocess.run(["npm", "install", "--ignore-scripts", "--silent"], cwd=a.cache, check=True)
    onnx = modules if torch and (modules / "onnxruntime-node").exists() and shutil.which("node") else None
    print("PyTorch:", "there" if torch else f"absent (needs torch and {a.reference}/met2net_torch.py)")
    print("ONNX Runtime:", "there" if onnx else "absent (--install fetches it into --cache)")
    return torch, onnx


def first_forecast(command, env):
    """Seconds to load, pack and compute in a process of its own, before the peers start theirs, and how often the time
    of a later forecast that is: of the same process, as the machine is faster at one time than at another."""
    side = Side(command, env)
    seconds = side.run() + side.load
    later = statistics.median(side.run() for _ in range(3))
    side.finish()
    return seconds, seconds / later


def capped(a):
    """The environment of met2net and the one of the peers."""
    ours, peers = dict(os.environ), dict(os.environ)
    if a.isa == "avx2":
        cap = (a.build / "tests/cap_avx2.so").resolve()
        ours["M2N_ISA"] = "avx2"
        peers["ONEDNN_MAX_CPU_ISA"] = peers["DNNL_MAX_CPU_ISA"] = "AVX2"
        if cap.exists() and subprocess.run(["true"], env=dict(peers, LD_PRELOAD=str(cap))).returncode == 0:
            peers["LD_PRELOAD"] = str(cap)
        else:
            print("ONNX Runtime is not capped: this processor or kernel cannot make CPUID fault")
    return ours, peers


def measure(a, name, threads, folder, torch, onnx):
    v, height, width, _ = SIZES[name]
    env, peer_env = capped(a)
    model = folder / f"{name}.safetensors"
    command = [a.build / "tests/bench_forecast", model if model.exists() else name, "--stdin", "--threads", str(threads),
               "--runs", "1000000"]
    firsts = [first_forecast(command, env) for _ in range(a.runs)]
    first = [statistics.median(column) for column in zip(*firsts)] + [max(ratio for _, ratio in firsts)]
    sides = {"met2net": Side(command, env)}
    if onnx:
        sides["onnx"] = Side(["node", HERE / "peer_onnx.js", folder / f"{name}.onnx", f"1,{T},{v},{height},{width}",
                              str(threads)], dict(peer_env, NODE_PATH=str(onnx)))
    if torch:
        sides["torch"] = Side([PYTHON, HERE / "peer_torch.py", a.reference, name, str(threads)], peer_env)
    for side in sides.values():
        side.run()
    for _ in range(a.runs):
        for side in sides.values():
            time.sleep(a.pause)
            side.measure()
    result = {key: (statistics.median(side.times), statistics.median(side.cpu), side.finish())
              for key, side in sides.items()}
    return result, first


def matrix_rate(a, threads, torch):
    """GFLOP/s of large float32 products: this engine's, and PyTorch's where it is there."""
    env, peer_env = capped(a)
    out = subprocess.run([a.build / "tests/bench_gemm", str(threads)], env=env, capture_output=True, text=True, check=True).stdout
    rates = [float(out.split()[-1])]
    if torch:
        code = f"""
import time, torch
torch.set_num_threads({threads}); a = torch.rand(2048, 2048); b = torch.rand(2048, 2048); best = 1e9
for _ in range(5):
    start = time.perf_counter(); a @ b; best = min(best, time.perf_counter() - start)
print(2 * 2048 ** 3 / best * 1e-9)"""
        rates.append(float(subprocess.run([PYTHON, "-c", code], env=peer_env, capture_output=True, text=True, check=True).stdout))
    return rates


def free_bytes():
    return int(open("/proc/meminfo").read().split("MemAvailable:")[1].split()[0]) * 1024


def compare_steps(a, torch):
    print("| configuration | batch | threads | met2net s | PyTorch s | PyTorch / met2net | processor s met2net | PyTorch "
          "| GFLOP/s | of matrix rate | MB met2net | MB PyTorch | met2net / PyTorch |\n|" + "---|" * 13)
    env, peer_env = capped(a)
    for threads in map(int, a.threads.split(",")):
        rate = matrix_rate(a, threads, False)[0]
        for step in a.steps.split(","):
            name, batch = step.split(":")
            sides = {"met2net": Side([a.build / "tests/train/bench_step", name, batch, str(threads), "0"], env)}
            sides["met2net"].run()  # the first touches all memory
            if torch:
                sides["torch"] = Side([PYTHON, HERE / "peer_torch.py", a.reference, name, str(threads), batch],
                                      peer_env, free_bytes())
                try:
                    sides["torch"].run()
                except (RuntimeError, BrokenPipeError):
                    del sides["torch"]  # does not fit into what memory is left
            for _ in range(a.runs):
                for side in sides.values():
                    time.sleep(a.pause)
                    side.measure()
            r = {k: (statistics.median(s.times), statistics.median(s.cpu), s.finish()) for k, s in sides.items()}
            m, t = r["met2net"], r.get("torch")
            speed = int(batch) * gflop(name, STEP) / m[0]
            cells = [f"{t[0]:.2f}", f"{t[0] / m[0]:.2f}", f"{t[1]:.1f}", f"{t[2]:.0f}", f"{m[2] / t[2]:.2f}"] if t else ["-"] * 5
            print(f"| {name} | {batch} | {threads} | {m[0]:.2f} | {cells[0]} | {cells[1]} | {m[1]:.1f} | {cells[2]} "
                  f"| {speed:.0f} | {speed / rate:.0%} | {m[2]:.0f} | {cells[3]} | {cells[4]} |", flush=True)
        print(f"matrix rate, {threads} threads: {rate:.0f} GFLOP/s", flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--build", type=pathlib.Path, required=True)
    ap.add_argument("--reference", type=pathlib.Path, default=HERE.parents[2] / "shared/reference")
    ap.add_argument("--cache", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "met2net-onnxruntime")
    ap.add_argument("--install", action="store_true")
    ap.add_argument("--configs", default=",".join(SIZES))
    ap.add_argument("--threads", default="1,2")
    ap.add_argument("--runs", type=int, default=7)
    ap.add_argument("--pause", type=float, default=0.1)
    ap.add_argument("--isa", choices=["avx2"], help="as on a machine without AVX-512")
    ap.add_argument("--train", action="store_true")
    ap.add_argument("--steps", default="wb_mv5:1,wb_mv5:4,wb_mv5:16,era5_128:1")
    a = ap.parse_args()
    torch, onnx = find_peers(a)
    cpu = [line for line in open("/proc/cpuinfo") if line.startswith("model name")]
    print("machine:", cpu[0].split(":")[1].strip() if cpu else "unknown", f"x {len(cpu)},"
          f" instruction set: {a.isa or os.environ.get('M2N_ISA', 'the best')}")
    if a.train:
        compare_steps(a, torch)
        return
    names = a.configs.split(",")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if torch:
            make_files(a.reference, folder, names, onnx)
        print("| configuration | threads | met2net s | ONNX Runtime s | PyTorch s | faster peer / met2net | processor s "
              "met2net | ONNX | PyTorch | GFLOP/s | of matrix rate | load + first s | first / later (most) | MB met2net "
              "| MB ONNX | MB PyTorch |\n|" + "---|" * 16)
        for threads in map(int, a.threads.split(",")):
            rates = matrix_rate(a, threads, torch)
            for name in names:
                r, first = measure(a, name, threads, folder, torch, onnx)
                peers = [r[k][0] for k in ("onnx", "torch") if k in r]
                ours, speed = r["met2net"][0], gflop(name) / r["met2net"][0]
                cell = lambda key, i, form: format(r[key][i], form) if key in r else "-"
                print(f"| {name} | {threads} | {ours:.3f} | {cell('onnx', 0, '.3f')} | {cell('torch', 0, '.3f')} "
                      f"| {format(min(peers) / ours, '.2f') if peers else '-'} | {cell('met2net', 1, '.2f')} "
                      f"| {cell('onnx', 1, '.2f')} | {cell('torch', 1, '.2f')} | {speed:.0f} | {speed / max(rates):.0%} "
                      f"| {first[0]:.3f} | {first[1]:.2f} ({first[2]:.2f}) | {cell('met2net', 2, '.0f')} "
                      f"| {cell('onnx', 2, '.0f')} | {cell('torch', 2, '.0f')} |",
                      flush=True)
            print(f"matrix rate, {threads} threads: met2net {rates[0]:.0f} GFLOP/s"
                  + (f", PyTorch {rates[1]:.0f} GFLOP/s" if torch else ""), flush=True)


if __name__ == "__main__":
    sys.exit(main())
