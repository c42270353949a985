"""PyTorch's side of compare.py: one forecast for each line on stdin, its seconds on stdout; at the end peak memory.

usage: peer_torch.py FOLDER_OF_met2net_torch CONFIG THREADS
"""
import sys
import time

sys.path.insert(0, sys.argv[1])
import torch  # noqa: E402
import met2net_torch as oracle  # noqa: E402

torch.set_num_threads(int(sys.argv[3]))
config = oracle.CONFIGS[sys.argv[2]]
state = {k: v for k, v in oracle.made_up_state(config).items() if "_q" in k}
x = oracle.made_up_fields(config, 1, "x")
for _ in sys.stdin:
    start = time.perf_counter()
    oracle.forecast(config, state, x)
    print(f"run {time.perf_counter() - start:.4f}", flush=True)
status = open("/proc/self/status").read()
print("peak_kb", status.split("VmHWM:")[1].split()[0])
