#!/usr/bin/env python3
"""met2net-train stopped by signals, kill -9 and a full disk: what is there is whole, and --resume ends with the same bits."""
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time

import tap
from tool_case import BIN, SMALL, Case, header_of


class Interrupted(Case):
    EPOCHS = ["--epochs", "6", "--checkpoint-minutes", "0.001"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.folder / "whole.safetensors"
        start = time.monotonic()
        subprocess.run([BIN / "met2net-train", cls.folder / "data.safetensors", "-q", "-o", cls.whole, *SMALL,
                        *cls.EPOCHS], check=True, stdout=subprocess.DEVNULL)
        cls.seconds = time.monotonic() - start

    def start(self, *arguments):
        return subprocess.Popen([BIN / "met2net-train", self.folder / "data.safetensors", "-q", "-o", self.model,
                                 *SMALL, *self.EPOCHS, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def finish(self):
        if not (self.here / "m.checkpoint.safetensors").exists():  # killed before the run began
            self.assertEqual(self.train(*self.EPOCHS, "--overwrite").returncode, 0)
            return
        result = self.train(*self.EPOCHS, "--resume")
        self.assertEqual(result.returncode, 0, result.stderr)

    def assert_same_as_whole(self):
        self.assertEqual(self.model.read_bytes(), self.whole.read_bytes())
        self.assertEqual((self.here / "m.last.safetensors").read_bytes(),
                         (self.folder / "whole.last.safetensors").read_bytes())
        epochs = [json.loads(line)["epoch"] for line in (self.here / "m.log.jsonl").read_text().splitlines()]
        self.assertEqual(epochs, [1, 2, 3, 4, 5, 6])

    def test_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            p = self.start("--overwrite")
            time.sleep(0.4 * self.seconds)
            p.send_signal(number)
            _, stderr = p.communicate(timeout=tap.seconds(60))
            if p.returncode != 0:  # else it was faster than the signal
                self.assertEqual(p.returncode, 130, stderr)
                self.assertIn(b"--resume", stderr)
            self.finish()
            self.assert_same_as_whole()

    def test_kill_at_random_moments(self):
        r = random.Random(os.environ.get("M2N_SEED", "1"))
        kills, left = 0, set()
        for _ in range(int(os.environ.get("M2N_KILLS", "3"))):
            for path in self.here.iterdir():
                path.unlink()
            p = self.start()
            time.sleep(r.uniform(0, 1.2 * self.seconds))
            p.kill()
            p.communicate()
            kills += p.returncode == -signal.SIGKILL
            self.finish()
            self.assert_same_as_whole()
            left |= {path.name for path in self.here.iterdir()}
        print(f"# {kills} of the runs were killed at work", flush=True)
        known = {f"m{end}" for end in (".safetensors", ".last.safetensors", ".checkpoint.safetensors", ".log.jsonl",
                                       ".svg")}
        # what a kill leaves behind are temporary files, never files of a user's name that are not whole
        self.assertTrue(all(name.startswith(("m.", ".m.")) for name in left - known), left - known)

    def test_full_disk(self):
        """A tmpfs with room for two and a half checkpoints: some save in the run must fail."""
        self.assertEqual(self.train(*self.EPOCHS[2:], "--epochs", "1").returncode, 0)
        checkpoint = self.here / "m.checkpoint.safetensors"
        before, size = self.model.read_bytes(), checkpoint.stat().st_size
        mount = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={int(2.6 * size) // 1024}k", "tmpfs", mount],
                          capture_output=True).returncode != 0:
            self.skipTest("no right to mount a small file system")
        try:
            model = mount / "m.safetensors"
            first = self.train(*self.EPOCHS[2:], "--epochs", "3", model=model)
            self.assert_fails(first, 1, "m.", "No space left on device")
            if (mount / "m.checkpoint.safetensors").exists():  # whole, as it was before the failed write
                settings = json.loads(header_of(mount / "m.checkpoint.safetensors")["__metadata__"]["settings"])
                self.assertEqual(settings["epochs"], 3)
            self.assertFalse([p.name for p in mount.iterdir() if p.name not in
                              {"m.safetensors", "m.last.safetensors", "m.checkpoint.safetensors", "m.log.jsonl",
                               "m.svg"}])
            subprocess.run(["mount", "-o", "remount,size=50m", mount], check=True)
            result = self.train(*self.EPOCHS[2:], "--epochs", "3", "--resume", model=model)
            self.assertEqual(result.returncode, 0, result.stderr)
        finally:
            subprocess.run(["umount", mount])
        self.assertEqual(self.model.read_bytes(), before)


if __name__ == "__main__":
    tap.main()
