"""``WholeEngine``: the interface of engines that take programs as whole functions.

A compiler sees nothing of interest in one operation. So a batch of programs becomes one Python
function, which the engine compiles or transforms, and which is then called with the leaves of each
program: first with those of its earlier calls, last with its own, which are observed.
"""

from __future__ import annotations

import itertools
import linecache
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np

from parity.engines.base import Engine, ProgramEngine, Unsupported
from parity.engines.trace import Failure, Observation, Trace
from parity.engines.whole.source import FORM, FunctionSource, batch_source, only
from parity.language import program as pr
from parity.language.forms import ARGUMENT

#: Names of functions and files, each used once: compilers cache by code object and by line.
_NUMBERS = itertools.count()


class WholeEngine(ProgramEngine):
    """Base class of engines that see whole programs; ``parity check`` runs it in batches.

    A subclass sets ``name``, ``ops`` and, if it has any, ``forms``, and defines ``compile``,
    ``arguments``, ``forward`` and ``gradients``. ``ops`` are functions on the framework's arrays.
    Methods ``no_grad`` and ``detach`` declare these abilities, and are called in the function.

    Examples
    --------
    An engine around JAX, without ``another`` and ``to_numpy``:

    >>> class Jit(WholeEngine):
    ...     name = "jax.jit"
    ...     ops = {"add": jnp.add, "mul": jnp.multiply}
    ...
    ...     def compile(self, function):
    ...         return jax.jit(function)
    ...
    ...     def arguments(self, leaves, call):
    ...         return [jnp.asarray(leaf.array()) for leaf in leaves]
    ...
    ...     def differentiate(self, compiled, arguments, seeds):
    ...         values, pullback = jax.vjp(compiled, *arguments)
    ...         return values, list(pullback(cotangents(values, seeds))), {}
    """

    #: Forms of operations by the names of ``parity.language.forms``, each a function of the name of
    #: an operation, the operation and its arguments.
    forms: ClassVar[Mapping[str, Callable[..., Any]]] = {}
    #: Programs that one function holds.
    batch: int = 8
    #: The levels of the compiler, the lowest first, each as the name of an engine; this one last.
    levels: tuple[str, ...] = ()
    #: How a script compiles the function ``program``, as an expression with PyTorch; "": no script.
    compiling: str = ""

    def __init__(self) -> None:
        #: What the compiler did: functions, graphs, graph breaks, recompilations.
        self.counts: Counter[str] = Counter()

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the compiled function: of arrays, to a tuple of tuples of arrays."""
        raise NotImplementedError

    def arguments(self, leaves: Sequence[pr.Leaf], call: int) -> list[Any]:
        """Return the leaves as arrays of the framework; ``call`` counts from the observed one."""
        raise NotImplementedError

    def another(self, argument: Any) -> Any:
        """Return another object with the same numbers."""
        raise NotImplementedError

    def differentiate(
        self, compiled: Callable[..., Any], arguments: Sequence[Any], seeds: Sequence[Seed]
    ) -> tuple[Any, list[Any], dict[int, Exception]]:
        """Call the function and go backward from all seeds in one pass.

        Returns the values, a gradient or None for each argument, and by index of a seed why no
        backward from it is possible.
        """
        raise NotImplementedError

    def to_numpy(self, value: Any) -> Any:
        """Return an array of the framework as one of NumPy."""
        return np.asarray(value)

    def helpers(self) -> dict[str, Callable[..., Any]]:
        """Return what a function calls beside operations and forms."""
        return {"no_grad": self.no_grad, "detach": self.detach, "only": only}

    def begin(self) -> None:
        """Prepare for a new function: drop what the compiler has cached."""

    def count(self) -> None:
        """Add to ``counts`` what the compiler did with the last function."""

    # What engines of single operations have: it declares abilities, and is never called.

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        self._refuse()

    def value(self, t: Any) -> Any:
        self._refuse()

    def grad(self, t: Any) -> Any:
        self._refuse()

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Unsupported("single operations: the engine takes whole programs")

    def run_program(self, program: pr.Program) -> Trace:
        """Run one program; an exception of the engine is in the trace."""
        try:
            (trace,) = self.run_programs([program])
        except Exception as error:
            return Trace([], Failure(len(program.statements) - 1, error), partial=True)
        return trace

    def run_programs(self, programs: Sequence[pr.Program]) -> list[Trace]:
        """Run programs as one function. An exception may be that of any of them."""
        sources = [
            FunctionSource(p, f"p{i}_" if len(programs) > 1 else "") for i, p in enumerate(programs)
        ]
        self.begin()
        try:
            with np.errstate(all="ignore"):
                return _Batch(self, programs, sources).traces()
        finally:
            self.counts["programs"] += len(programs)
            self.count()

    def function_of(self, sources: Sequence[FunctionSource]) -> Callable[..., Any]:
        """Return the function of programs, whose source ``linecache`` knows."""
        name = f"program_{next(_NUMBERS)}"
        file, text = f"<parity {name}>", batch_source(sources, name)
        ops = {s.op for one in sources for s in one.program.statements if isinstance(s, pr.Apply)}
        forms = {f"{FORM}{form.replace('-', '_')}": f for form, f in self.forms.items()}
        scope = {
            **{op: self.ops[op] for op in ops},
            **forms,
            "np": np,
            "nan": np.nan,
            "inf": np.inf,
        }
        scope |= self.helpers()
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec"), scope)  # the text is made of checked names and numbers
        found: Callable[..., Any] = scope[name]
        return found


class Seed:
    """A backward from output ``output`` of program ``program`` with a gradient."""

    def __init__(self, program: int, output: int, statement: int, s: pr.Backward) -> None:
        self.program, self.output, self.statement = program, output, statement
        self.gradient = None if s.gradient is None else s.gradient.array()


class _Batch:
    """Programs that run as one function."""

    def __init__(
        self,
        engine: WholeEngine,
        programs: Sequence[pr.Program],
        sources: Sequence[FunctionSource],
    ) -> None:
        self.engine, self.programs, self.sources = engine, programs, sources
        self.seeds = [
            Seed(i, source.outputs.index(s.value), number, s)
            for i, source in enumerate(sources)
            for number, s in enumerate(source.program.statements)
            if isinstance(s, pr.Backward)
        ]

    def traces(self) -> list[Trace]:
        compiled = self.engine.compile(self.engine.function_of(self.sources))
        earlier = max(len(p.calls) for p in self.programs)
        kept = []
        for call in range(earlier, -1, -1):
            arguments, places = self._arguments(call)
            values, gradients, failed = self.engine.differentiate(compiled, arguments, self.seeds)
            results = [*itertools.chain(*values), *(g for g in gradients if g is not None)]
            copies = [np.array(self.engine.to_numpy(r)) for r in results]
            kept.append((results, copies))
        self._check_kept(kept[:-1])
        of_leaves = [[gradients[k] for k in indices] for indices in places]
        return [self._trace(i, values[i], of_leaves[i], failed) for i in range(len(self.programs))]

    def _arguments(self, call: int) -> tuple[list[Any], list[range]]:
        """Return the arguments of a call, and where the leaves of each program are.

        What is passed once more is the same object in the observed call, and another one before.
        """
        arguments: list[Any] = []
        places = []
        for program, source in zip(self.programs, self.sources, strict=True):
            calls = (*program.calls, program.leaves)
            chosen = calls[max(len(calls) - 1 - call, 0)]
            leaves = self.engine.arguments(chosen, min(call, len(calls) - 1))
            again = [
                leaves[i] if call == 0 else self.engine.another(leaves[i]) for i in source.again
            ]
            places.append(range(len(arguments), len(arguments) + len(leaves)))
            arguments += leaves + again
        return arguments, places

    def _check_kept(self, kept: list[Any]) -> None:
        """Raise if a later call has changed what an earlier one returned."""
        for results, copies in kept:
            for result, copy in zip(results, copies, strict=True):
                if not np.array_equal(self.engine.to_numpy(result), copy, equal_nan=True):
                    raise RuntimeError("a later call has changed what an earlier one returned")

    def _trace(
        self, number: int, values: Any, gradients: list[Any], failed: dict[int, Exception]
    ) -> Trace:
        """Return what is observed of a program: its outputs, and the gradients at the end."""
        program, source = self.programs[number], self.sources[number]
        trace = Trace(partial=True)
        defined = {v: n for n, new in enumerate(program.defined) for v in new}
        for value, array in zip(source.outputs, values, strict=True):
            if value in defined:
                found = np.array(self.engine.to_numpy(array))
                trace.observations.append(Observation(defined[value], "value", value, found))
        seeds = [(k, s) for k, s in enumerate(self.seeds) if s.program == number]
        for k, seed in seeds:
            if k in failed:
                trace.failure = Failure(seed.statement, failed[k])
                return trace
        for i, leaf in enumerate(program.leaves if seeds else ()):
            g = gradients[i] if leaf.requires_grad else None
            kept = None if g is None else np.array(self.engine.to_numpy(g))
            trace.observations.append(Observation(seeds[-1][1].statement, "grad", i, kept))
        return trace


def run_batch(engine: WholeEngine, heads: list[Any]) -> dict[str, Any]:
    """Run programs, and return their traces and counts as plain data.

    The key "raised" stands for an exception of a batch of several: they have to run one by one.
    """
    from parity.engines.isolation import codec

    programs = [codec.read_program(head) for head in heads]
    before = Counter(engine.counts)
    if len(programs) == 1:
        traces = [engine.run_program(programs[0])]
    else:
        try:
            traces = engine.run_programs(programs)
        except Exception as error:
            return {"raised": Failure(0, error).text(), "counts": _since(engine, before)}
    return {"traces": list(map(_plain, traces)), "counts": _since(engine, before)}


def _since(engine: WholeEngine, before: Counter[str]) -> dict[str, int]:
    return {name: n - before[name] for name, n in engine.counts.items() if n != before[name]}


def _plain(trace: Trace) -> list[Any]:
    f = trace.failure
    failed = None if f is None else [f.statement, f.kind, f.text(), f.location()]
    return [
        [list(o[:3]) for o in trace.observations],
        [o.array for o in trace.observations],
        failed,
    ]


def is_whole(engine: Engine) -> bool:
    """Return whether an engine takes whole programs."""
    return isinstance(engine, WholeEngine)


def facts(engine: WholeEngine) -> dict[str, Any]:
    """Return what a runner needs to know of an engine."""
    return {
        "batch": engine.batch,
        "levels": list(engine.levels),
        "forms": sorted({*engine.forms, ARGUMENT}),
        "compiling": engine.compiling,
    }
