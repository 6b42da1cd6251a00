"""The ``Engine`` interface: the methods that an adapter of an autograd engine implements.

An adapter translates between one engine and this interface. The rest of ``parity`` uses
engines through it alone.
"""

import inspect
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from parity._util.escape import one_line

if TYPE_CHECKING:  # scripts copy this module, and few need the table of operations
    from parity.language.operation import Operation


class Unsupported(Exception):  # noqa: N818 - not an error of the engine
    """The engine does not have this feature, and does not claim to have it.

    Adapters raise it for what depends on the operands, as for an engine that multiplies matrices
    but not vectors. An operation that is missing altogether is left out of ``Engine.ops`` instead;
    ``min_ndim``, ``max_ndim`` and ``attribute_limits`` declare shapes and attributes, so that no
    program is lost to them.

    The program ends there without a finding; what it showed before is still compared. Reports
    list the message after "not tested, since the engine lacks it: ...".

    Examples
    --------
    >>> def matmul(a, b):
    ...     if a.ndim < 2 or b.ndim < 2:
    ...         raise Unsupported("matmul of vectors")
    ...     return a @ b
    """


class Engine:
    """Interface of an autograd engine under test. Subclass it to test your own engine.

    A subclass sets ``name`` and ``ops`` and overrides ``leaf``, ``value``, ``grad`` and
    ``backward``. All other methods are optional: overriding one declares the ability, and
    programs that need an ability which the engine does not declare are not generated.

    ``parity`` runs a program by calling these methods. It makes one instance of the class,
    without arguments, and runs many programs on it. Tensors (``t`` below) are objects of the
    engine, of any type; ``parity`` only stores them and passes them back. Arrays are
    ``numpy.ndarray``. Any method may raise ``Unsupported``. Any other exception is a finding,
    unless PyTorch raises there as well.

    Attributes
    ----------
    name
        The name of the engine in reports.
    version
        Its version in reports.
    ops
        The operations of the engine by name, of those in ``parity.language.table.OPS``. Each
        value is a callable that takes the operands as positional arguments (tensors) and the
        attributes as keyword arguments, and returns a tensor, or a tuple of tensors for an
        operation with several outputs. "add" is called as ``ops["add"](a, b)``, "sum" as
        ``ops["sum"](a, axis=0, keepdims=False)``. Attributes are numbers, None, booleans and
        tuples of integers; ``index`` of "get_item" is what stands between the brackets, and
        ``condition`` of "where" is an ndarray of bool, which is not to be changed.
    dtypes
        The dtypes of leaves that the engine keeps: "float32", "float64" or both. Leaves of
        other dtypes are not generated.
    max_ndim
        The largest number of dimensions of a tensor: 0 for an engine of scalars, None for
        no limit.
    min_ndim
        The smallest one: 2 for an engine of matrices. Results have as many dimensions as well, so
        that a sum over all axes is not generated without ``keepdims``.
    attribute_limits
        What attributes may be, where the engine does not take all that PyTorch does, by their
        name, for one operation as "sum.axis": a tuple of values, or words of
        ``parity.language.restrictions.WORDS`` with commas between. With ``{"axis": "integer",
        "keepdims": (False,)}`` programs reduce one axis at a time and keep none. Words are
        "integer", "integer or None", "not negative" (no number is), "finite", and "integers and
        slices" (of an index). What depends on the operands as well raises ``Unsupported``.
    bitwise
        Whether gradients must equal PyTorch's in every bit where IEEE 754 and the order of
        additions determine each bit (PyTorch rule: docs/semantics.md 15). Without it
        differences up to rounding are allowed in programs that are not exact.
    quirks
        Names of documented deviations from PyTorch, of ``parity.engines.quirks.table.QUIRKS``.
        The engine is compared with PyTorch as if PyTorch had them too. Reports list them.
    extra_ops
        Rows of operations that parity does not have, each with its function in ``ops``: what
        PyTorch computes, and on which operands (``parity.language.operation.Operation``).
    left_reals_count
        Only for the exact evaluation (``parity.oracle.exact``): how many calls so far met a
        value that is not a real number. Adapters leave it at 0.

    Examples
    --------
    The adapter of an engine whose class ``Tensor`` resembles PyTorch's, in a file
    ``adapter.py``. ``parity check --engine adapter.py:MyEngine`` tests it. ``parity adapter
    adapter.py`` writes such a file to start from.

    >>> class MyEngine(Engine):
    ...     name = "mine"
    ...     dtypes = ("float64",)
    ...     ops = {
    ...         "add": lambda a, b: a + b,
    ...         "mul": lambda a, b: a * b,
    ...         "exp": lambda a: a.exp(),
    ...         "sum": lambda a, *, axis, keepdims: a.sum(axis, keepdims),
    ...     }
    ...
    ...     def leaf(self, array, requires_grad=True):
    ...         return Tensor(array.copy(), requires_grad=requires_grad)
    ...
    ...     def value(self, t):
    ...         return t.data
    ...
    ...     def grad(self, t):
    ...         return t.grad
    ...
    ...     def backward(self, t, gradient=None, *, retain_graph=False, create_graph=False):
    ...         t.backward(gradient, retain_graph=retain_graph)
    ...
    ...     def clear_grad(self, t):  # optional: now programs with x.grad = None are run as well
    ...         t.grad = None

    An operation of one's own is a row and a function:

    >>> from parity.engines import Operation
    >>> class WithCumprod(MyEngine):
    ...     extra_ops = (
    ...         Operation(
    ...             "cumprod", "torch.cumprod(a, dim=axis)", "+s", attributes={"axis": "AXIS"}
    ...         ),
    ...     )
    ...     ops = {**MyEngine.ops, "cumprod": lambda a, *, axis: a.cumprod(axis)}
    """

    name: ClassVar[str] = ""
    version: ClassVar[str] = ""
    ops: ClassVar[Mapping[str, Any]] = {}
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    max_ndim: ClassVar[int | None] = None
    min_ndim: ClassVar[int] = 0
    attribute_limits: ClassVar[Mapping[str, Any]] = {}
    bitwise: ClassVar[bool] = False
    quirks: ClassVar[frozenset[str]] = frozenset()
    extra_ops: ClassVar[Sequence["Operation"]] = ()
    left_reals_count: int = 0

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        """Create a leaf tensor that holds a copy of ``array``.

        Called for each leaf of a program before its first operation. An engine without
        constants omits the parameter ``requires_grad``; then every leaf requires a gradient.

        Parameters
        ----------
        array
            An ndarray of a dtype of ``dtypes``, of any shape with up to ``max_ndim``
            dimensions; 0-d and empty arrays are among them. The caller may change it later, so
            it has to be copied.
        requires_grad
            False for a constant: no gradient reaches it, and a backward from what depends on
            constants alone raises (PyTorch rule: docs/semantics.md 4.4).

        Returns
        -------
        object
            A tensor of the engine with the shape and dtype of ``array`` and no gradient.
        """
        raise NotImplementedError

    def value(self, t: Any) -> Any:
        """Return the value of a tensor.

        Called for the results of each operation, and for all leaves at the end of a program:
        no operation and no backward may change them.

        Returns
        -------
        numpy.ndarray
            With the shape and dtype of the tensor; a copy or the engine's own array.
        """
        raise NotImplementedError

    def grad(self, t: Any) -> Any:
        """Return the gradient of a leaf.

        Called for all leaves after each backward, clear, zero and in-place change of a gradient.

        Returns
        -------
        numpy.ndarray or None
            None while the leaf has no gradient. Otherwise an array with the shape and dtype of
            the leaf (PyTorch rule: docs/semantics.md 8.1). Return the engine's own array, not a
            copy, if the engine lets users change gradients in place: then programs with in-place
            changes are generated, and shared memory is found (docs/semantics.md 3).
        """
        raise NotImplementedError

    def backward(
        self,
        t: Any,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Run a backward pass from ``t`` and add to the gradients of the leaves.

        Gradients of several passes accumulate (PyTorch rule: docs/semantics.md 1.1).

        Parameters
        ----------
        t
            The root: a leaf or the result of an operation.
        gradient
            An ndarray with the shape and dtype of ``t``, or None, which stands for ones if ``t``
            has one element (PyTorch rule: docs/semantics.md 4.1). An array of another
            shape must be refused with an exception; some programs pass one on purpose
            (docs/semantics.md 4.2). The caller keeps the array and may change it afterwards.
        retain_graph
            Whether another backward may run through the same graph. Without it a second one
            raises (docs/semantics.md 1.1). An engine that keeps every graph ignores the flag and
            names the quirk "keeps-graphs".
        create_graph
            Whether the pass itself is recorded, so that its gradients can be differentiated
            (docs/semantics.md 7.1). True only for engines that define ``grad_tensor``.
        """
        raise NotImplementedError

    def clear_grad(self, t: Any) -> None:
        """Set the gradient of a leaf to None, as ``x.grad = None`` does in PyTorch.

        Optional. PyTorch rule: docs/semantics.md 2.3.
        """
        raise NotImplementedError

    def zero_grad(self, t: Any) -> None:
        """Fill the gradient of a leaf with zeros in place, as ``x.grad.zero_()`` does.

        Optional. Called only while the gradient is not None. An array that ``grad`` returned
        before holds zeros afterwards, if it is the engine's own. PyTorch rule:
        docs/semantics.md 2.1.
        """
        raise NotImplementedError

    def grad_tensor(self, t: Any) -> Any:
        """Return the gradient of a leaf as a tensor, ``x.grad`` in PyTorch.

        Optional; it declares that the engine has second derivatives. The tensor can be an
        operand or a root like any other. After a backward with ``create_graph`` gradients reach
        the leaves through it; after a plain one it is a constant. Raises if there is no
        gradient. PyTorch rule: docs/semantics.md 7.1.
        """
        raise NotImplementedError

    def no_grad(self) -> AbstractContextManager[Any]:
        """Return a context manager inside which operations are not recorded.

        Optional. It can be nested, and an exception restores the mode too. PyTorch rule:
        docs/semantics.md 6.1.
        """
        raise NotImplementedError

    def detach(self, t: Any) -> Any:
        """Return a constant with the value of ``t``, as ``t.detach()`` does in PyTorch.

        Optional. PyTorch rule: docs/semantics.md 6.4.
        """
        raise NotImplementedError

    def optimizer(self, kind: str, leaves: Any, lr: float) -> Any:
        """Create an optimizer of ``leaves``; used for whole training runs.

        Optional.

        Parameters
        ----------
        kind
            "sgd", "momentum" (SGD with momentum 0.9) or "adam", with the update rules and
            defaults of ``torch.optim``.
        leaves
            A list of leaves.
        lr
            The learning rate.

        Returns
        -------
        object
            With the methods ``step()`` and ``zero_grad(set_to_none=True)`` (PyTorch rule:
            docs/semantics.md 2.5).
        """
        raise NotImplementedError


class ProgramEngine(Engine):
    """An engine that runs programs as a whole, not step by step."""

    #: Whether a difference from its runs is a finding however small it is.
    is_strict: ClassVar[bool] = False

    def run_program(self, program: Any) -> Any:
        """Run a ``Program`` and return the ``Trace`` of what was observed."""
        raise NotImplementedError


#: Methods that an adapter must override, and methods that it may override.
REQUIRED = ("leaf", "value", "grad", "backward")
OPTIONAL = ("clear_grad", "zero_grad", "grad_tensor", "no_grad", "detach", "optimizer")
#: Further abilities: leaves without a gradient, and results that agree in every bit.
CONSTANTS, BITWISE = "requires_grad=False", "bitwise"


def abilities(engine: Engine) -> frozenset[str]:
    """Return the abilities that an engine declares.

    They are the names of the ``OPTIONAL`` methods that its class overrides, ``CONSTANTS`` if
    ``leaf`` takes ``requires_grad``, and ``BITWISE`` if ``Engine.bitwise`` is set.
    """
    cls = type(engine)
    able = {name for name in OPTIONAL if getattr(cls, name) is not getattr(Engine, name)}
    if "requires_grad" in inspect.signature(cls.leaf).parameters:
        able.add(CONSTANTS)
    if engine.bitwise:
        able.add(BITWISE)
    return frozenset(able)


class Named(Protocol):
    """An object with the name and version of an engine: an engine or a runner of one."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...


#: Names and versions are part of headings and tables.
_LONGEST_LABEL = 100


def label(engine: Named) -> str:
    """Return the engine's name and version, for reports."""
    return one_line(" ".join(map(one_line, (engine.name, engine.version))).rstrip(), _LONGEST_LABEL)
