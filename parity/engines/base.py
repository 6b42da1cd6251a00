"""The contract between the harness and an engine under test."""

import inspect
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol


class Unsupported(Exception):  # noqa: N818 - what an adapter says of its engine
    """Raised by an adapter: the engine does not have this, and its author does not claim it.

    For what depends on the operands, as a product of matrices only, leaves of two dimensions
    at least or one axis at a time. The program ends there without a finding; what it showed
    before is compared. The text completes "not tested, since the engine lacks it: ...".
    """


class Engine:
    """One autograd engine; subclass it and name the class as ``--engine path/to/file.py:Class``.

    A class sets ``name`` and ``ops`` and overrides ``leaf``, ``value``, ``grad``
    and ``backward``. The other methods are optional: overriding one declares the
    ability, and what an engine does not declare is not generated. Tensors (``t``)
    are whatever the engine works on; the harness only passes them around. Any of them
    may raise ``Unsupported``; another exception is a finding.
    """

    #: How reports call the engine.
    name: ClassVar[str] = ""
    #: Its version, for reports.
    version: ClassVar[str] = ""
    #: Operations by their names in ``table.OPS``: tensors in, attributes as keywords.
    ops: ClassVar[dict[str, Any]] = {}
    #: The dtypes of leaves that the engine keeps.
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    #: The largest number of dimensions, 0 for an engine of scalars, None for any.
    max_ndim: ClassVar[int | None] = None
    #: Whether it sums in PyTorch's order, so that results must agree in every bit.
    bitwise: ClassVar[bool] = False
    #: Documented dialects by their names in ``quirks.table``; each report lists them.
    quirks: ClassVar[frozenset[str]] = frozenset()

    #: How often the exact evaluation left the real numbers; other engines have no opinion.
    edges: int = 0

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        """A new variable on a copy of an ndarray.

        An engine without constants leaves the parameter ``requires_grad`` out.
        """
        raise NotImplementedError

    def value(self, t: Any) -> Any:
        """The value of a tensor as an ndarray."""
        raise NotImplementedError

    def grad(self, t: Any) -> Any:
        """The gradient of a leaf as an ndarray, or None; the engine's own buffer if it has one."""
        raise NotImplementedError

    def backward(
        self,
        t: Any,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Propagate from ``t``; ``gradient`` is an ndarray of its shape, or None for one element.

        A gradient of another shape has to be refused with an exception: some programs try that.
        ``create_graph`` is passed only to engines that define ``grad_tensor``.
        """
        raise NotImplementedError

    def clear_grad(self, t: Any) -> None:
        """Make the gradient of a leaf None: ``x.cleargrad()``, ``x.grad = None``."""
        raise NotImplementedError

    def zero_grad(self, t: Any) -> None:
        """Fill the gradient of a leaf, which is not None, with zeros: ``x.grad.zero_()``."""
        raise NotImplementedError

    def grad_tensor(self, t: Any) -> Any:
        """The gradient of a leaf as a tensor to compute on, after ``create_graph``."""
        raise NotImplementedError

    def no_grad(self) -> AbstractContextManager[Any]:
        """A context in which nothing is recorded."""
        raise NotImplementedError

    def detach(self, t: Any) -> Any:
        """A constant on the values of ``t``."""
        raise NotImplementedError

    def optimizer(self, kind: str, leaves: Any, lr: float) -> Any:
        """An optimizer of leaves with ``step()`` and ``zero_grad(set_to_none=True)``.

        ``kind``: "sgd", "momentum" (0.9) or "adam", with PyTorch's update rules and
        defaults.
        """
        raise NotImplementedError


#: What an engine must override, and what it may.
REQUIRED = ("leaf", "value", "grad", "backward")
OPTIONAL = ("clear_grad", "zero_grad", "grad_tensor", "no_grad", "detach", "optimizer")
#: Further abilities: leaves without a gradient, and results that agree in every bit.
CONSTANTS, BITWISE = "requires_grad=False", "bitwise"


def abilities(engine: Engine) -> frozenset[str]:
    """What an engine can do: the optional methods that it overrides, constants, equal bits."""
    cls = type(engine)
    able = {name for name in OPTIONAL if getattr(cls, name) is not getattr(Engine, name)}
    if "requires_grad" in inspect.signature(cls.leaf).parameters:
        able.add(CONSTANTS)
    if engine.bitwise:
        able.add(BITWISE)
    return frozenset(able)


class Named(Protocol):
    """What has the name and version of an engine: an engine or a runner of one."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...


def label(engine: Named) -> str:
    """The engine's name and version."""
    return f"{engine.name} {engine.version}".rstrip()
