#!/usr/bin/env python3
"""The judge of the faults is judged: each way to go wrong after a failed read has to be noticed, going right must not."""
import argparse
import pathlib
import tempfile
import unittest

import judge
import patient
import tap
from scenarios import BUILD, Scenario

WAYS = {
    "crashes": "exit status -6", "sleeps": "asleep for", "runs on": "still busy", "leaks": "leak of 100 byte",
    "keeps a file open": "left open: {'input.txt': 1}", "writes half": "out is neither whole nor as before",
    "leaves a file": "data/out.XyZ123 was left", "spoils the input": "data/input.txt was changed", "leaves a lock": "afterwards",
    "caches rubbish": "afterwards", "calls it success": "success with another result", "is silent": "without a message",
    "is vague": "nothing of the cause", "has its own status": "exit status 5"}


def complaints_about(way, fault="read:1"):
    patient.PROCESSOR_SECONDS = patient.ASLEEP_SECONDS = 1
    scenario = Scenario(way, {"input.txt": b"a whole text " * 4}, [BUILD / "tests/fault/misbehaving", way], ["out"])
    with tempfile.TemporaryDirectory() as top:
        places, good, still_open = judge.without_fault(scenario, pathlib.Path(top))
        assert sum(map(len, places["read"].values())) == 1
        return judge.check(scenario, top, good, still_open, fault)


class TestJudge(unittest.TestCase):
    def test_what_goes_right_is_not_complained_of(self):
        self.assertEqual(complaints_about(""), ([], "error", "met2net-x: input.txt: Input/output error"))

    def test_a_fault_that_does_not_happen_is_said(self):
        self.assertEqual(complaints_about("", "read:2"), ([], "not reached", ""))

    def test_a_short_read_has_to_be_repaired(self):
        self.assertIn("success with another result", complaints_about("", "short-read:1")[0][0])


class TestMessage(unittest.TestCase):
    def test_a_process_that_was_stopped_gives_no_cause(self):
        said = "met2net-prepare: a.grib2: Input/output error\nmet2net-prepare: stopped; nothing was written\n"
        self.assertEqual(judge.message_of(argparse.Namespace(stderr=said)), "met2net-prepare: a.grib2: Input/output error")


def noticed(way):
    def test(self):
        if way == "leaks" and not judge.LSAN:
            self.skipTest("no liblsan.so")
        complaints = complaints_about(way)[0]
        self.assertTrue(any(WAYS[way] in c for c in complaints), complaints)
    return test


for each in WAYS:
    setattr(TestJudge, f"test_noticed_when_it_{each.replace(' ', '_')}", noticed(each))

if __name__ == "__main__":
    tap.main()
