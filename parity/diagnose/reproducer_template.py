"""Text of reproducer scripts, for ``str.format``; ``parity.diagnose.reproducer`` fills it in."""

from __future__ import annotations

#: The whole script.
SCRIPT = '''\
"""{title}

{text}

Run it with: python {file}
It needs numpy, torch and the engine, but not parity. The exit status is 1 if engine and PyTorch
differ, and 0 if they agree.
"""

import importlib
import sys
import types

import numpy as np
import torch

nan, inf = float("nan"), float("inf")

# PyTorch's function for each operation.
TORCH = {{
{table}
}}

{read}

def on_engine(engine):
    held = {{}}
{engine}
    return {engine_result}


def on_torch({parameter}):
    held = {{}}
{torch}
    return {torch_result}


# Source code of the adapter and of the modules that it imports, by module name.
SOURCES = {{
{sources}
}}
PACKAGES = {packages!r}
FOLDERS = {folders!r}  # folders from which the engine is imported


def load_engine():
    installed = [i for i, folder in enumerate(sys.path) if folder.endswith("-packages")]
    index = min(installed, default=len(sys.path))
    sys.path[index:index] = FOLDERS  # before installed packages of the same name
    for name in sorted(SOURCES):  # packages before their modules
        module = sys.modules[name] = types.ModuleType(name)
        if name in PACKAGES:
            module.__path__ = []
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)
    for name, source in SOURCES.items():
        exec(compile(source, name, "exec"), vars(sys.modules[name]))
    return getattr(importlib.import_module({module!r}), {cls!r})()
{load_reference}

def run(function, *arguments):
    try:
        with np.errstate(all="ignore"):
            result = function(*arguments)
        if isinstance(result, torch.Tensor):
            result = result.detach().numpy()
        return None if result is None else np.array(result)
    except Exception as error:
        return f"{{type(error).__name__}}: {{error}}"


def shown(result):  # a name or an exception may hold control characters
    if not isinstance(result, str):
        return result
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in result[:2000])


# Error bounds: the largest differences that rounding explains, by element.
ALLOWED = np.array({allowed!r})


def small(a):
    return a is None or bool(np.all(np.abs(a) <= ALLOWED))


def agree(a, b):
    if a is None or b is None or isinstance(a, str) or isinstance(b, str):
        return {agree}
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    with np.errstate(invalid="ignore"):
        return bool(np.all((a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= ALLOWED)))


{isolated_run}torch.set_num_threads(1)
engine = load_engine()
ours, theirs = {run_engine}, run(on_torch{argument})
{result}print({observed!r})
print(f"{{shown(engine.name)}}: {{shown(ours)}}")
print(f"{reference_name}: {{theirs}}")
print("they agree" if same else "they differ")
sys.exit(0 if same else 1)
'''

#: Reads an array as parity does, for findings that an exception ended.
READ = """

def read(array, optional=False):
    if not (array is None and optional) and np.asarray(array).dtype.kind not in "fiub":
        raise TypeError(f"not an array of numbers: {type(array).__name__}")
"""

#: Compares the results of one run.
RESULT = "same = agree(ours, theirs)\n"

#: Runs the program several times, for findings that some runs show.
FLAKY_RESULT = """\
# The engine differs in some runs only.
RUNS = {runs}
results = [ours, *(run(on_engine, engine) for _ in range(RUNS - 1))]
different = [a for a in results if not agree(a, theirs)]
print(f"{{len(different)}} of {{RUNS}} runs differ")
same = not different
ours = ours if same else different[0]
"""

#: Runs the engine in a separate process, for findings that end or block it.
ISOLATED_RUN = """\
# The engine runs in a separate process, since it may crash or not end.
SECONDS, MEGABYTES = {seconds!r}, {megabytes!r}


def run_isolated():
    import subprocess

    command = [sys.executable, __file__, "engine"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"no end after {{SECONDS}} s"
    finished = done.stdout.endswith("finished\\n")
    return None if finished else f"the process ended with status {{done.returncode}}"


def run_in_this_process(engine):
    try:
        import resource

        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (size + MEGABYTES * 2**20, most))
    except (ImportError, OSError):
        print("memory is not limited on this system")
    try:
        on_engine(engine)
    except MemoryError:
        raise
    except Exception as error:
        print(error)
    print("finished")


if sys.argv[1:] == ["engine"]:
    run_in_this_process(load_engine())
    sys.exit(0)

"""

#: Loads PyTorch with the quirks of the engine.
LOAD_REFERENCE = """

def load_reference():
    quirks = importlib.import_module("parity.engines.quirks.table")
    plain = importlib.import_module("parity.engines.adapters.torch").Torch()
    return quirks.with_quirks(plain, frozenset({quirks}))
"""
