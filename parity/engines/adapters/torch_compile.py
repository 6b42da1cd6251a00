"""``torch.compile`` of whole programs, on the CPU.

``torch.compile:backend=aot_eager`` names a backend, and so on for ``OPTIONS``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
import torch._dynamo
import torch._functorch.config
from torch._dynamo.utils import counters

from parity._util.escape import one_line
from parity.engines.adapters.torch_whole import TorchWhole

_FLAGS = ("false", "true")
#: The options and what they may be; the first is the default. What a backend does on top of the one
#: before it tells at which level a difference appears.
OPTIONS: dict[str, tuple[str, ...]] = {
    "backend": ("aot_eager", "eager", "aot_eager_decomp_partition", "inductor"),
    "dynamic": ("none", *_FLAGS),
    "fullgraph": _FLAGS,
    "mode": ("default", "reduce-overhead", "max-autotune-no-cudagraphs"),
    "batch": ("8", "1", "2", "4", "16"),
}
LEVELS = ("eager", "aot_eager", "aot_eager_decomp_partition", "inductor")
_BOOLEANS: dict[str, bool | None] = {"none": None, "false": False, "true": True}
#: Graphs of one function before Dynamo gives up and runs it eagerly.
_RECOMPILATIONS = 64


def _lookup(backend: str) -> Callable[..., Any]:
    found: Callable[..., Any] = torch._dynamo.lookup_backend(backend)
    return found


def _inductor(mode: str) -> Callable[..., Any]:
    """Return Inductor, which compiles in this process: what it starts would outlive a limit."""
    from torch._inductor import config, list_mode_options
    from torch._inductor.compile_fx import compile_fx

    config.compile_threads = 1
    patches = list_mode_options(mode) if mode != "default" else {}
    return lambda graph, inputs: compile_fx(graph, inputs, config_patches=patches)


class TorchCompile(TorchWhole):
    """``torch.compile`` with a backend, then a backward through what it returns."""

    name = "torch.compile"
    version = torch.__version__.partition("+")[0]
    options: ClassVar[dict[str, tuple[str, ...]]] = OPTIONS

    def __init__(self, **chosen: str) -> None:
        super().__init__()
        self.chosen = {name: chosen.get(name, values[0]) for name, values in OPTIONS.items()}
        self.backend, self.batch = self.chosen["backend"], int(self.chosen["batch"])
        shown = {k: v for k, v in self.chosen.items() if k == "backend" or k in chosen}
        self.name = "torch.compile " + ",".join(f"{k}={v}" for k, v in shown.items())  # type: ignore[misc]
        others = {k: v for k, v in chosen.items() if k != "backend"}
        self.levels = tuple(_spec({"backend": b, **others}) for b in self._lower())
        self.compiling = self._expression()
        torch._dynamo.config.recompile_limit = _RECOMPILATIONS
        torch._dynamo.config.accumulated_recompile_limit = 8 * _RECOMPILATIONS
        torch._functorch.config.donated_buffer = False
        self._graphs, self._at_first = 0, -1

    def _lower(self) -> tuple[str, ...]:
        """Return the backends up to this one."""
        return LEVELS[: LEVELS.index(self.backend) + 1]

    def _expression(self) -> str:
        mode = f", mode={self.chosen['mode']!r}" if self.backend == "inductor" else ""
        dynamic, fullgraph = (_BOOLEANS[self.chosen[k]] for k in ("dynamic", "fullgraph"))
        backend = f"backend={self.backend!r}, dynamic={dynamic}, fullgraph={fullgraph}"
        return f"torch.compile(program, {backend}{mode})"

    def begin(self) -> None:
        torch._dynamo.reset()
        counters.clear()
        self._graphs, self._at_first = 0, -1

    def count(self) -> None:
        self.counts["functions"] += 1
        self.counts["graphs"] += self._graphs
        self.counts["functions without a graph"] += self._graphs == 0
        self.counts["recompilations"] += self._graphs - max(self._at_first, 0)
        self.counts["graphs beyond one in the first call"] += max(self._at_first - 1, 0)
        self.counts["frames that ran eagerly"] += (
            counters["frames"]["total"] - counters["frames"]["ok"]
        )
        for reason, number in counters["graph_break"].items():
            self.counts["graph breaks"] += number
            self.counts[f"graph break: {one_line(reason.splitlines()[0], 100)}"] += number

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        mode = self.chosen["mode"] if self.backend == "inductor" else "default"
        compiled: Callable[..., Any] = torch.compile(
            function,
            backend=self._counting(mode),
            dynamic=_BOOLEANS[self.chosen["dynamic"]],
            fullgraph=bool(_BOOLEANS[self.chosen["fullgraph"]]),
        )

        def called(*arguments: Any) -> Any:
            values = compiled(*arguments)
            self._at_first = self._graphs if self._at_first < 0 else self._at_first
            return values

        return called

    def _counting(self, mode: str) -> Callable[..., Any]:
        """Return the backend, which counts the graphs that it gets."""
        inner = _inductor(mode) if self.backend == "inductor" else _lookup(self.backend)

        def backend(graph: Any, inputs: Any) -> Any:
            self._graphs += 1
            return inner(graph, inputs)

        return backend


def _spec(options: dict[str, str]) -> str:
    return "torch.compile:" + ",".join(f"{k}={v}" for k, v in options.items())
