"""TAP for tests in Python: check() each claim, finish() at the end."""
import sys

_done = []


def check(name, good, detail=""):
    """`good` must be True itself: NaN, None and arrays do not pass by accident."""
    good = good is True or (type(good).__name__ in ("bool_", "bool") and bool(good))
    _done.append(good)
    print(f"{'ok' if good else 'not ok'} {len(_done)} {name}", flush=True)
    if not good and str(detail):
        print("\n".join(f"# {line}" for line in str(detail).splitlines()), flush=True)
    return good


def skip(name, why):
    _done.append(True)
    print(f"ok {len(_done)} {name} # skip {why}", flush=True)


def finish():
    print(f"1..{len(_done)}", flush=True)
    sys.exit(not (_done and all(_done)))
