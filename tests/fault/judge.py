"""Runs one scenario with one fault in it, and judges how it ended, what it left, and what happens when it is done again."""
import collections
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import patient
from scenarios import BUILD, HOST

LIBRARY = BUILD / "tests/fault/libm2nfault.so"
# a fault of these kinds is repaired on the spot: the caller must not notice
HARMLESS = {"short-read", "eintr-read", "short-write", "eintr-write"}


def leak_sanitizer():
    """LSan works on programs that were not built for it."""
    name = subprocess.run([os.environ.get("CC", "cc"), "-print-file-name=liblsan.so"], capture_output=True, text=True).stdout
    path = pathlib.Path(name.strip() or "liblsan.so")
    return path.resolve() if path.is_absolute() else None


LSAN = leak_sanitizer()


def run(command, folder, scenario, **fault):
    """`fault`: M2N_FAULT_...; without any the library is not there at all."""
    env = dict(os.environ, XDG_CACHE_HOME=str(folder / "cache"), HOME=str(folder), G_DEBUG="fatal-criticals",
               GDAL_DRIVER_PATH=str(BUILD / "plugin"), LD_LIBRARY_PATH=str(BUILD / "plugin"), **scenario.env)
    command = [str(x) for x in command]
    if fault:
        first = f"{LIBRARY}:{LSAN}" if LSAN else str(LIBRARY)
        # crashes are left to the system: LSan would make its own exit status of them
        lsan = f"exitcode=0:log_path={folder}/leaked:" + ":".join(f"handle_{s}=0" for s in ("segv", "abort", "sigbus", "sigfpe"))
        env.update(M2N_FAULT_ROOT=str(folder), LSAN_OPTIONS=lsan, **fault)
        at = scenario.launcher  # mpirun itself is spared
        command[at:at] = ["env", f"LD_PRELOAD={first}"]
    return patient.run(command, cwd=folder / "data", env=env)


def make_folder(top, scenario):
    folder = pathlib.Path(tempfile.mkdtemp(dir=top))
    (folder / "data").mkdir()
    for name, data in scenario.files.items():
        (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data" / name).write_bytes(data)
    for command in scenario.before:
        if run(command, folder, scenario).returncode != 0:
            raise SystemExit(f"{scenario.name}: {command} fails")
    return folder


# changes with the inode of the input
KEY = re.compile(rb"(MET2NET_KEY.{0,80}?)[0-9a-f]{64}", re.DOTALL)


def digest(path):
    """Of a file, or of all in a folder; of NetCDF what GDAL reads, for it holds checksums of its own."""
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if not p.is_dir())
        return hashlib.sha256("".join(f"{p.relative_to(path)} {digest(p)}\n" for p in inside).encode()).hexdigest()
    if path.suffix == ".nc" and path.exists():
        shown = subprocess.run(["gdalmdiminfo", "-detailed", str(path)], capture_output=True)
        return hashlib.sha256(KEY.sub(rb"\1", shown.stdout)).hexdigest() if shown.returncode == 0 else "unreadable"
    return hashlib.sha256(KEY.sub(rb"\1", path.read_bytes())).hexdigest() if path.exists() else "absent"


def result(scenario, folder, done):
    """What has to be equal: the files made, or for want of them what was printed."""
    return [digest(folder / "data" / n) for n in scenario.outputs] or done.stdout


def left_open(folder):
    """{file: how often}"""
    path = folder / "left"
    lines = path.read_text().splitlines() if path.exists() else []
    return collections.Counter(re.sub(r"\.[A-Za-z0-9]{6}( |$)", ".XXXXXX", str(pathlib.Path(n).name)) for n in lines)


def leaks(folder, said):
    """What LSan found, each with its stack, that we or GLib asked for: what HDF5, NetCDF and GDAL lose when a read of
    theirs fails is their own; and so is eccodes', when it gives up, which is a jump out of the middle of it."""
    for path in sorted(folder.glob("leaked.*")):
        for leak in path.read_text().split("\n\n"):
            caller = leak.split("#1 ")[-1].splitlines()[0]
            ours = re.search("lib(glib|json-glib|met2net)|met2net-|MET2NET|fault/", caller)
            if " leak of " in leak and (ours or "eccodes" in caller and "eccodes gives up" not in said):
                yield leak.strip()


def without_fault(scenario, top):
    """{kind: {stack: [numbers]}}, the result, and what is open at the end."""
    folder = make_folder(top, scenario)
    done = run(scenario.command, folder, scenario, M2N_FAULT_LOG=str(folder / "calls.log"), M2N_FAULT_LEFT=str(folder / "left"))
    if done.returncode != 0:
        raise SystemExit(f"{scenario.name} fails without a fault: {done.returncode}, {done.stderr}")
    places = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in (folder / "calls.log").read_text().splitlines():
        kind, number, stack = line.split()
        places[kind][stack].append(int(number))
    good, still_open = result(scenario, folder, done), left_open(folder)
    for complaint in left_behind(folder, scenario, good):
        raise SystemExit(f"{scenario.name} without a fault: {complaint}")
    shutil.rmtree(folder)
    return places, good, still_open


def left_behind(folder, scenario, good):
    """Complaints about files."""
    for name, whole in zip(scenario.outputs, good if scenario.outputs else []):
        original = hashlib.sha256(scenario.files[name]).hexdigest() if name in scenario.files else "absent"
        if digest(folder / "data" / name) not in (whole, original) and name not in scenario.changing:
            yield f"{name} is neither whole nor as before"
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        inside = name.removeprefix("data/")
        if path.is_dir() or OWN.match(name):
            continue
        if any(inside == n or inside.startswith(n + "/") for n in scenario.outputs):
            continue
        if name.startswith("data/") and path.name in scenario.beside:
            continue
        if inside in scenario.files and name.startswith("data/"):
            if path.read_bytes() != scenario.files[inside]:
                yield f"{name} was changed"
        elif not (name.startswith("cache/met2net/") and name.endswith((".safetensors", ".m2nindex"))):
            yield f"{name} was left"


# of these one has to be in the message: the cause, or the file it concerns
CAUSES = {"alloc": ["memory"], "big": ["memory", "allocate", "cannot be written"], "thread": ["thread"]}


def names_the_cause(message, kind, scenario):
    files = [*scenario.files, *scenario.outputs, *scenario.beside, "cache"]
    names = {part for n in files for part in (pathlib.Path(n).name, pathlib.Path(n).parts[0])}  # folders, too
    return any(word in message for word in CAUSES.get(kind, names))


def did_not_start(scenario, done):
    """MPI itself gave up, in its own words, before the tool began."""
    return scenario.launcher and "MPI_Init" in done.stderr


def message_of(done):
    """What the user is told: the tool's own lines, or the host's last.  mpirun stops the others when one has failed."""
    stopped = "stopped; nothing was written"
    lines = [line for line in done.stderr.splitlines() if line.strip() and not line.endswith(stopped)]
    own = [line for line in lines if line.startswith(("met2net-", "open: ", "read: "))]
    return (own or lines or [""])[-1]


def complaints_about(done, kind, scenario, folder, good, still_open):
    message = message_of(done)
    if done.endless:
        yield done.endless
    elif done.returncode not in (0, 1):
        yield f"exit status {done.returncode}: {done.stderr[-1500:]}"
    elif done.returncode == 1 and kind in HARMLESS:
        yield f"not repaired: {done.stderr[-300:]}"
    elif done.returncode == 1 and not message:
        yield "an error without a message"
    elif done.returncode == 1 and not names_the_cause(message, kind, scenario) and not did_not_start(scenario, done):
        yield f"a message that says nothing of the cause: {message}"
    elif done.returncode == 1 and scenario.command[0] == HOST and not done.stdout.endswith(good):
        yield "another result the second time in the same process"
    elif done.returncode == 0 and result(scenario, folder, done) != good:
        yield f"success with another result: {done.stderr[-300:]}"
    if not scenario.launcher:  # MPI loses some in libraries it has unloaded
        yield from leaks(folder, done.stderr)
    if not done.endless and left_open(folder) - still_open:
        yield f"left open: {dict(left_open(folder) - still_open)}"


OWN = re.compile("calls.log|hit|left|leaked|openmpi")


def could_not_be_removed(kind, complaint):
    """A folder that cannot be listed stays as well, under a name that the next to write there knows for stale."""
    return kind == "unlink" or (kind in ("open", "readdir", "stat") and re.search(r"\.part-\S+\.zarr/.* was left", complaint))


def state_of(folder):
    """What a program can find there; equal states need not be tried again."""
    return {str(p.relative_to(folder)): (p.lstat().st_mode, p.read_bytes() if p.is_file() else b"")
            for p in folder.rglob("*") if not OWN.match(str(p.relative_to(folder)))}


def judged(done, kind, scenario, folder, before, good, still_open):
    """What ran with a fault of that kind, and the same again without, where the first changed anything:
    (complaints, how it ended, what it said)."""
    complaints = list(complaints_about(done, kind, scenario, folder, good, still_open))
    complaints += [c for c in left_behind(folder, scenario, good) if not could_not_be_removed(kind, c)]
    if state_of(folder) != before:
        again = run(scenario.again(folder), folder, scenario)
        if again.returncode != 0 or again.endless or result(scenario, folder, again) != good:
            complaints.append(f"afterwards: {again.endless} exit status {again.returncode}, {again.stderr[-300:]}")
    complaints = [c.replace(f"{folder}/", "") for c in complaints]
    return complaints, "unhurt" if done.returncode == 0 else "error", message_of(done).replace(f"{folder}/", "")


def check(scenario, top, good, still_open, fault):
    """One fault: (complaints, how it ended, what it said)."""
    folder, kind = make_folder(top, scenario), fault.split(":")[0]
    before = state_of(folder)
    try:
        done = run(scenario.command, folder, scenario, M2N_FAULT=fault, M2N_FAULT_HIT=str(folder / "hit"),
                   M2N_FAULT_LEFT=str(folder / "left"))
        if not (folder / "hit").exists():
            return [], "not reached", ""
        return judged(done, kind, scenario, folder, before, good, still_open)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
