#!/usr/bin/env python3
"""Two processes under Open MPI with a slow line between them: a network of two machines on one.

    slow_link.py MBIT_PER_SECOND MICROSECONDS PROGRAM [ARGUMENT...]

Each process lives in a network namespace of its own.  What the one sends leaves it through a tun device, waits its turn at the
given rate in that direction, then the given time, and enters the other: what tc's netem and tbf do, also where the kernel
lacks netem.  As root.  Prints the bytes that crossed at the end."""
import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque

NAMES, ADDRESSES = ("m2n-a", "m2n-b"), ("10.77.0.1", "10.77.0.2")
MTU = 60000
libc = ctypes.CDLL(None, use_errno=True)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def enter(path):
    with open(path) as f:
        if libc.setns(f.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


def open_tun(name, address, peer):
    home = "/proc/self/ns/net"
    back = os.open(home, os.O_RDONLY)
    enter(f"/run/netns/{name}")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH", b"line", 0x0001 | 0x1000))  # TUNSETIFF: IFF_TUN, IFF_NO_PI
    libc.setns(back, 0)
    os.close(back)
    ip("-n", name, "addr", "add", address, "peer", peer, "dev", "line")
    ip("-n", name, "link", "set", "line", "mtu", str(MTU), "txqueuelen", "10000", "up")
    ip("-n", name, "link", "set", "lo", "up")
    return tun


class Direction:
    def __init__(self, source, sink, rate, delay):
        self.source, self.sink, self.rate, self.delay = source, sink, rate, delay
        self.queue, self.free, self.bytes = deque(), 0.0, 0

    def take(self, now):
        try:
            packet = os.read(self.source, MTU)
        except BlockingIOError:
            return
        self.bytes += len(packet)
        self.free = max(self.free, now) + len(packet) / self.rate
        self.queue.append((self.free + self.delay, packet))

    def give(self, now):
        while self.queue and self.queue[0][0] <= now:
            os.write(self.sink, self.queue.popleft()[1])


def relay(job, tuns, rate, delay):
    ways = [Direction(tuns[0], tuns[1], rate, delay), Direction(tuns[1], tuns[0], rate, delay)]
    while job.poll() is None:
        now = time.monotonic()
        due = min((w.queue[0][0] for w in ways if w.queue), default=now + 0.05)
        ready = select.select(tuns, [], [], max(0.0, due - now))[0]
        now = time.monotonic()
        for w in ways:
            if w.source in ready:
                w.take(now)
            w.give(now)
    return [w.bytes for w in ways]


def main():
    rate, delay = float(sys.argv[1]) * 1e6 / 8, float(sys.argv[2]) * 1e-6
    for name in NAMES:
        ip("netns", "add", name)
    try:
        tuns = [open_tun(NAMES[i], ADDRESSES[i], ADDRESSES[1 - i]) for i in range(2)]
        with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as agent:
            # mpirun calls it with the host and the words of its own daemon
            agent.write(f'#!/bin/sh\nshift\nexec ip netns exec {NAMES[1]} unshare -u sh -c "hostname {NAMES[1]}; $*"\n')
        os.chmod(agent.name, 0o755)
        words = ["ip", "netns", "exec", NAMES[0], "mpirun", "--host", f"{ADDRESSES[0]}:1,{ADDRESSES[1]}:1", "-n", "2",
                 "--mca", "plm_rsh_agent", agent.name, "--mca", "pml", "ob1", "--mca", "btl", "tcp,self",
                 "--mca", "btl_tcp_if_include", "line", "--mca", "oob_tcp_if_include", "line", "--bind-to", "none",
                 *sys.argv[3:]]
        job = subprocess.Popen(words, env={**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1",
                                           "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})
        crossed = relay(job, tuns, rate, delay)
        print(f"crossed: {crossed[0]} and {crossed[1]} bytes", flush=True)
        os.unlink(agent.name)
        return job.returncode
    finally:
        for name in NAMES:
            ip("netns", "del", name)


if __name__ == "__main__":
    sys.exit(main())
