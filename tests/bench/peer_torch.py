"""PyTorch's side of compare.py: one forecast (with BATCH: one training step) for each line on stdin, its seconds on
stdout; at the end peak memory.

usage: peer_torch.py FOLDER_OF_met2net_torch CONFIG THREADS [BATCH]
"""
import sys
import time

sys.path.insert(0, sys.argv[1])
import torch  # noqa: E402
import met2net_torch as oracle  # noqa: E402

torch.set_num_threads(int(sys.argv[3]))
config = oracle.CONFIGS[sys.argv[2]]
batch = int(sys.argv[4]) if len(sys.argv) > 4 else 0
state = {k: v for k, v in oracle.made_up_state(config).items() if batch or "_q" in k}
x = oracle.made_up_fields(config, max(1, batch), "x")
if batch:
    y = oracle.made_up_fields(config, batch, "y")
    for name, value in state.items():
        value.requires_grad_(oracle.trainable(name))
    optimizer = torch.optim.Adam([v for n, v in state.items() if oracle.trainable(n)], lr=1e-3)
for _ in sys.stdin:
    start = time.perf_counter()
    if batch:
        oracle.training_step(config, state, optimizer, x, y)
    else:
        oracle.forecast(config, state, x)
    print(f"run {time.perf_counter() - start:.4f}", flush=True)
status = open("/proc/self/status").read()
print("peak_kb", status.split("VmHWM:")[1].split()[0])
