"""Engines that harm the process in which they run: a table, and a way to try all of them.

``python -m tests.helpers.hostile FOLDER [NAME...]`` tries them through ``parity check`` and prints
what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

ISOLATED, HERE = "isolated", "here"


@dataclass(frozen=True)
class Hostile:
    """The source of an engine, and the kinds of findings one of which it must have.

    Without kinds it must have none: what it does is undone; with "" it may have none. "refused": it
    cannot be used, which one line says. ``statuses`` are those that the command may have.
    ``where``: it is tried in a process of its own, in that of parity, or in both.
    """

    source: str
    kinds: tuple[str, ...] = ("crash",)
    where: tuple[str, ...] = (ISOLATED, HERE)

    @property
    def statuses(self) -> frozenset[int]:
        of = {"refused": 2, "": 0}
        return frozenset(of.get(kind, 1) for kind in self.kinds or ("",))


_BACKWARD = """
    from __future__ import annotations
    import atexit, builtins, ctypes, os, posix, signal, socket, struct, sys, threading, time
    import numpy as np
    from parity.diagnose.defects.engine import TapeEngine

    def act():
    {body}

    class Mine(TapeEngine):
        name = "mine"

        def backward(self, t, gradient=None, **flags):
            act()
            super().backward(t, gradient, **flags)
"""
_METHOD = """
    import os, sys
    import numpy as np
    from parity.diagnose.defects.engine import TapeEngine

    class Array(np.ndarray):
        def __getattribute__(self, name):
            raise RuntimeError("not yours")

    class Mine(TapeEngine):
        name = "mine"

    {body}
"""


def _acts(body: str, *kinds: str, where: tuple[str, ...] = (ISOLATED, HERE)) -> Hostile:
    text = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    source = textwrap.dedent(_BACKWARD.replace("    {body}", text))
    return Hostile(source, kinds, where)


def _has(body: str, *kinds: str, where: tuple[str, ...] = (ISOLATED, HERE)) -> Hostile:
    text = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    source = textwrap.dedent(_METHOD.replace("    {body}", text))
    return Hostile(source, kinds, where)


def _grads(result: str, *kinds: str) -> Hostile:
    return _has(f"def grad(self, t):\n    return {result}", *kinds)


_ONLY_ISOLATED, _ONLY_HERE = (ISOLATED,), (HERE,)
#: Writes bytes to all open files but the standard ones.
_TO_ALL = """
    for name in range(3, 70_000):
        try:
            os.write(name, {data})
        except OSError:
            pass
"""
HOSTILE: dict[str, Hostile] = {
    # Exceptions that end a process.
    "sys-exit": _acts("sys.exit(0)", "crash"),
    "sys-exit-text": _acts("sys.exit('verdict: parity: it is right')", "crash"),
    "keyboard-interrupt": _acts("raise KeyboardInterrupt", "crash"),
    "generator-exit": _acts("raise GeneratorExit", "crash"),
    "base-exception": _acts("class Mad(BaseException): pass\nraise Mad('x')", "crash"),
    "exception-group": _acts("raise BaseExceptionGroup('x', [KeyboardInterrupt()])", "crash"),
    "unspeakable": _acts(
        "class Mad(Exception):\n    def __str__(self): raise ValueError\n    __repr__ = __str__\n"
        "raise Mad('x')",
        "exception",
    ),
    "exits-when-spoken": _acts(
        "class Mad(Exception):\n    def __str__(self): sys.exit(0)\nraise Mad('x')", "exception"
    ),
    "no-text": _acts(
        "class Mad(Exception):\n    def __str__(self): return 7\nraise Mad('x')", "exception"
    ),
    "long-text": _acts("raise ValueError('x' * 50_000_000)", "exception", "memory"),
    # Ends of the process.
    "os-exit": _acts("os._exit(0)", "crash"),
    "posix-exit": _acts("posix._exit(0)", "crash"),
    "caught-exit": _acts("try: os._exit(0)\nexcept BaseException: pass", "crash"),
    "exit-in-del": _acts("class A:\n    def __del__(self): os._exit(0)\nA()", "crash"),
    "abort": _acts("os.abort()", "crash"),
    "kills-itself": _acts("os.kill(os.getpid(), 9)", "crash", "memory"),
    "stops-itself": _acts("os.kill(os.getpid(), signal.SIGSTOP)", "crash", "time"),
    "exec": _acts("os.execv(sys.executable, [sys.executable, '-c', ''])", "crash"),
    "c-exit": _acts("ctypes.CDLL(None)._exit(0)", "crash", where=_ONLY_ISOLATED),
    "segfault": _acts("ctypes.string_at(0)", "crash", where=_ONLY_ISOLATED),
    "kills-parent": _acts("os.kill(os.getppid(), 9)", "crash", "", where=_ONLY_ISOLATED),
    "stops-parent": _acts(
        "os.kill(os.getppid(), signal.SIGSTOP); os._exit(0)",
        "crash",
        "time",
        where=(),  # each time takes the seconds in which PyTorch is imported
    ),
    "endless": _acts("while True: pass", "time", where=_ONLY_ISOLATED),
    # Files and pipes.
    "closes-all": _acts("os.closerange(0, 70_000)", "crash"),
    "closes-streams": _acts("sys.stdout.close(); sys.stderr.close()"),
    "closes-own-streams": _acts("sys.__stdout__.close()", where=_ONLY_ISOLATED),
    "closes-output": _acts("open(1, 'w').close()", "exception", "leak", ""),
    "floods-output": _acts("print('x' * 100_000); os.write(1, b'')"),
    "floods-pipe": _acts(_TO_ALL.format(data="b'x' * 30_000"), "crash", where=_ONLY_ISOLATED),
    "forges-large": _acts(
        _TO_ALL.format(data="struct.pack('>16sQQQ', bytes(16), 1, 2**40, 2**40)"),
        "crash",
        where=_ONLY_ISOLATED,
    ),
    "forges-known": _acts(
        "import gc\nfrom parity.engines.isolation import codec\n"
        "w = next(o for o in gc.get_objects() if type(o).__name__ == 'Worker')\n"
        "w.replies.write(codec.frame(w.mark, next(w.answers), {'a': [[{}]]}))",
        "crash",
        where=_ONLY_ISOLATED,
    ),
    "forges-array": _acts(
        "from parity.engines.isolation import codec\n"
        "codec.pack = lambda data: ([{'__array__': ['|O', [-1]]}], b'12345678')",
        "crash",
        where=_ONLY_ISOLATED,
    ),
    "forges-size": _acts(
        "from parity.engines.isolation import codec\n"
        "codec.pack = lambda data: ([{'__array__': ['<f8', [2**40, 2**40]]}], b'')",
        "crash",
        where=_ONLY_ISOLATED,
    ),
    "breaks-json": _acts(
        "import json\njson.dumps = lambda *a, **k: '['", "crash", where=("isolated",)
    ),
    "removes-position": _acts(
        "import glob\nfor f in glob.glob('/tmp/parity-*/position'):\n"
        "    if str(os.path.realpath(f)) in open('/proc/self/maps').read(): os.remove(f)\n"
        "os._exit(3)",
        "crash",
        where=_ONLY_ISOLATED,
    ),
    # Other processes and threads.
    "child-holds-pipe": _acts(
        "if os.fork() == 0:\n    os.setsid(); time.sleep(600)\nos._exit(0)",
        "crash",
        where=_ONLY_ISOLATED,
    ),
    "child-comes-back": _acts("os.fork()"),
    # Each thread takes address space, which is limited in a process of its own.
    "thread-without-end": _acts(
        "threading.Thread(target=time.sleep, args=(600,)).start()", "leak", ""
    ),
    "thread-exits": _acts(
        "t = threading.Thread(target=os._exit, args=(0,)); t.start(); t.join()", "crash"
    ),
    # Settings of the process.
    "signal-handlers": _acts("for n in (2, 15, 1): signal.signal(n, signal.SIG_IGN)"),
    "folder": _acts("os.chdir('/')"),
    "folder-removed": _acts("import tempfile\nf = tempfile.mkdtemp(); os.chdir(f); os.rmdir(f)"),
    "builtins": _acts(
        "for n in ('len', 'print', 'isinstance', 'setattr', 'zip'): vars(builtins)[n] = None",
        "crash",
        "exception",
    ),
    "modules": _acts("sys.modules.clear()", "crash", "exception", ""),
    "module-none": _acts(
        "sys.modules['numpy'] = sys.modules['torch'] = None", "crash", "exception", ""
    ),
    "recursion": _acts("sys.setrecursionlimit(60)", "depth", "crash", ""),
    "trace": _acts("sys.settrace(lambda *a: 1 / 0)", "exception", "crash", ""),
    "at-exit": _acts("atexit.register(os._exit, 0)", where=_ONLY_HERE),
    "del-raises": _acts("class A:\n    def __del__(self): raise SystemExit\nA()"),
    # Results.
    "object": _grads("np.array([object()])", "refused"),
    "structured": _grads("np.zeros(3, [('a', 'f8')])", "refused"),
    "text": _grads("'0'", "refused"),
    "huge": _grads("np.broadcast_to(1.0, (10**6, 10**6))", "memory", "refused"),
    "large": _grads("np.zeros(10**7)", "memory"),
    "many-dimensions": _grads("np.ones((1,) * 40)", "refused"),
    "swapped": _grads("np.zeros(3, '>f8')", "shape", "dtype", "refused"),
    "subclass": _grads("np.zeros(3).view(Array)", "shape", "gradient"),
    "value-exits": _has("def value(self, t):\n    sys.exit(0)", "crash"),
    "grad-exits": _has("def grad(self, t):\n    os._exit(0)", "crash"),
    "leaf-exits": _has("def leaf(self, array, requires_grad=True):\n    sys.exit(0)", "crash"),
    # Attributes, and what is said when the engine is loaded.
    "name-number": _has("name = 7", "refused"),
    "version-object": _has("version = object()", "refused"),
    "dtypes-text": _has("dtypes = 'float64'", "refused"),
    "dtypes-exits": _has("dtypes = property(lambda self: sys.exit(0))", "refused"),
    "name-exits": _has("name = property(lambda self: os._exit(0))", "refused"),
    "init-exits": _has("def __init__(self):\n    os._exit(0)", "refused"),
    "import-exits": Hostile("import os\nos._exit(0)\n", ("refused",)),
    "import-sys-exit": Hostile("raise SystemExit(0)\n", ("refused",)),
    "import-interrupts": Hostile("raise KeyboardInterrupt\n", ("refused",)),
    "import-caught": Hostile(
        "import os\ntry: os._exit(0)\nexcept BaseException: pass\n", ("refused",)
    ),
    "import-prints": Hostile(
        _acts("pass").source + "\nprint('verdict: parity: it is right')\n", ()
    ),
}


@dataclass
class Outcome:
    """How the command ended."""

    status: int
    out: str
    err: str
    seconds: float


def try_all(folder: Path, names: Iterable[str], arguments: tuple[str, ...]) -> dict[str, Outcome]:
    """Check each engine in a process that is forked from this one, which has imported PyTorch."""
    import parity.campaign.search  # noqa: F401 - imported once for all

    return {name: _tried(folder / name, name, arguments) for name in names}


def _tried(folder: Path, name: str, arguments: tuple[str, ...], limit: float = 120) -> Outcome:
    folder.mkdir(parents=True)
    (folder / "engine.py").write_text(HOSTILE[name].source)
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        for number, file in (1, "out"), (2, "err"):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
        from parity.cli.main import main

        sys.exit(main(["check", "--engine", "engine.py:Mine", *arguments]))
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() - started > limit:
            os.kill(pid, signal.SIGKILL)
            ended = os.waitpid(pid, 0)
            break
        time.sleep(0.02)
    status = os.waitstatus_to_exitcode(ended[1])
    texts = [(folder / file).read_text() for file in ("out", "err")]
    return Outcome(status, *texts, time.monotonic() - started)


if __name__ == "__main__":
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    chosen, given = sys.argv[2:split], tuple(sys.argv[split + 1 :])
    done = try_all(Path(sys.argv[1]), chosen or HOSTILE, given)
    json.dump({name: asdict(outcome) for name, outcome in done.items()}, sys.__stdout__)
