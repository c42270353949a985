"""unittest, printed as TAP: one line per test method, so that whoever counts, counts methods.

    import tap            (tests/lib must be on the path: the build sets PYTHONPATH)
    if __name__ == "__main__":
        tap.main()
"""
import os
import sys
import unittest


def seconds(n):
    """How long to wait for what takes n seconds at most: M2N_PATIENCE times as long, under a sanitizer or on a busy machine"""
    return n * float(os.environ.get("M2N_PATIENCE", "1"))


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.number = 0

    def line(self, ok, test, note=""):
        self.number += 1
        print(f"{ok} {self.number} {test.id()}{note}", flush=True)

    def explain(self, test, error):
        for row in self._exc_info_to_string(error, test).splitlines():
            print(f"# {row}")

    def addSuccess(self, test):
        self.line("ok", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.line("not ok", test)
        self.explain(test, error)

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(subtest, error)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("ok", test, f" # skip {reason}")


def main():
    import __main__
    suite = unittest.defaultTestLoader.loadTestsFromModule(__main__)
    result = Result()
    suite.run(result)
    print(f"1..{result.number}", flush=True)
    sys.exit(not (result.wasSuccessful() and result.number))
