"""Profiles: what the programs of one property look like."""

from __future__ import annotations

from dataclasses import dataclass, field

from parity.language.shapes import Shape
from parity.language.table import OPS

#: Shapes of leaves; most broadcast against each other, in both directions.
SHAPES: tuple[Shape, ...] = (
    *((), (2,), (3,), (2, 3), (1,), (1, 3), (2, 1), (2, 2)),
    *((3, 3), (), (2, 3), (3,), (0,), (0, 3), (1, 1), (2, 1, 3)),
)
#: Of up to three dimensions, few of them squares.
_DEEP: tuple[Shape, ...] = ((), (2, 3, 2), (2, 3), (2, 1, 3), (3,), (1, 2, 3), (0, 3), (3, 2, 2))
#: Small ones, also of one element.
_SMALL: tuple[Shape, ...] = (
    *((), (2,), (2, 2), (1,), (2, 1), (1, 2), (3,), (1, 1), (0,), (2, 1, 2)),
)

LEAF_BYTES = 3
SLOT_BYTES = 4
HEADER_BYTES = 3


@dataclass(frozen=True)
class Profile:
    """What programs of a property look like."""

    name: str
    #: What its programs are, in words.
    description: str = ""
    #: Names of operations; None for all that the engine has.
    ops: tuple[str, ...] | None = None
    #: Names of ``Builder`` methods and their weights.
    events: dict[str, int] = field(default_factory=dict)
    #: The shares, in 8, of programs with exact arithmetic and with float32 leaves.
    exact: int = 5
    narrow: int = 3
    #: The share, in 8, of programs with float32 leaves that have float64 leaves as well.
    mixed: int = 4
    #: The shapes of leaves.
    shapes: tuple[Shape, ...] = SHAPES
    #: How many operations and events, and how many leaves, there are at most.
    slots: int = 12
    leaves: int = 3
    #: Whether operations come under ``no_grad`` as well.
    modes: bool = False
    #: Whether gradients are differentiated once more.
    second_order: bool = False
    #: What the builder adds at the end, or "".
    ending: str = ""
    #: Elements of the largest value.
    max_size: int = 24
    #: Whether leaves of programs that are not exact have arbitrary significands.
    wild: bool = False
    #: How many operations half of the programs have at most, so that many events meet on
    #: one graph; 0: no limit.
    few: int = 0
    #: Whether all operations come equally often.
    even: bool = False
    #: Whether the programs are of operations without rules (``parity.generate.rows``).
    rows: bool = False
    #: The most dimensions of a value.
    max_ndim: int = 3

    @property
    def size(self) -> int:
        """How many bytes make a program."""
        return HEADER_BYTES + self.leaves * LEAF_BYTES + self.slots * SLOT_BYTES


#: What events need of an engine.
EVENT_NEEDS: dict[str, str] = {
    "clear": "clear_grad",
    "zero": "zero_grad",
    "detach": "detach",
    "change_grad": "buffer",
}
_EVENTS = {"backward": 12, "clear": 6, "zero": 6, "change_grad": 2, "change_gradient": 2}

_BROADCASTING = (
    *("add", "mul", "sub", "div", "maximum", "minimum", "matmul"),
    *("sum", "mean", "broadcast_to", "sum_to"),
)
#: Operations that move elements, and two that join what they give.
_MOVING = (
    *("transpose", "moveaxis", "flip", "reshape", "squeeze", "expand_dims", "pad"),
    *("get_item", "take_along_axis", "concat", "stack", "split", "broadcast_to", "add", "mul"),
)
#: Operations that gather elements along axes, with some that come before and after.
_GATHERING = (
    *("sum", "mean", "prod", "var", "norm", "max", "min", "cumsum", "sum_to", "logsumexp"),
    *("softmax", "get_item", "take_along_axis", "matmul", "add", "mul", "square"),
)
#: Operations that send the gradient on as it is, or as a view of it.
_PASSING = (
    *("add", "sub", "add_scalar", "sub_scalar", "concat", "stack", "split", "get_item"),
    *("reshape", "transpose", "broadcast_to", "sum_to", "sum", "squeeze", "expand_dims"),
)
#: Operations whose slope changes: what is lost in second order shows there.
_CURVED = (
    *("mul", "square", "div", "pow", "power", "matmul", "exp", "log", "sqrt", "sin", "cos"),
    *("tanh", "sigmoid", "softplus", "gelu", "softmax", "log_softmax", "logsumexp"),
    *("norm", "var", "prod", "add", "sum", "rdiv_scalar", "mean_squared_error"),
)

_PROFILES = (
    Profile(
        "general",
        "all operations and events: backward, clear, zero, in-place changes, no_grad, detach",
        events={**_EVENTS, "detach": 8, "drop": 4},
        modes=True,
        few=4,
    ),
    Profile(
        "gradients",
        "one backward through up to twelve operations with reused values",
        events={"backward": 2, "drop": 2},
    ),
    Profile(
        "accumulation",
        "many backwards whose gradients add up, through the same graph or others",
        events={"backward": 40},
        slots=10,
        few=3,
    ),
    Profile(
        "cleargrad",
        "backwards with gradients set to None between them",
        events={"backward": 26, "clear": 26},
        few=3,
    ),
    Profile(
        "zero",
        "backwards with gradients filled with zeros between them",
        events={"backward": 26, "zero": 26},
        few=3,
    ),
    Profile(
        "clearing",
        "backwards with gradients set to None or filled with zeros between them",
        events={"backward": 24, "clear": 24, "zero": 20},
        few=3,
    ),
    Profile(
        "aliasing",
        "gradients that are changed in place, where operations pass them on as views",
        ops=_PASSING,
        events={"backward": 24, "change_grad": 24, "change_gradient": 16, "zero": 6},
        slots=10,
        few=3,
        ending="change_all",
    ),
    Profile(
        "user-gradient",
        "backwards from a gradient that the user passes, and changes afterwards",
        events={"backward": 30, "change_gradient": 40},
        slots=10,
        ending="change_gradient",
    ),
    Profile(
        "broadcasting",
        "operands of different shapes, whose gradients are summed to their shapes",
        ops=_BROADCASTING,
        events={"backward": 4},
        exact=4,
    ),
    Profile(
        "moving",
        "operations that move, take or join elements of arrays of up to three dimensions",
        ops=_MOVING,
        even=True,
        events={"backward": 4},
        shapes=_DEEP,
        slots=10,
    ),
    Profile(
        "gathering",
        "reductions and other operations that gather elements along axes",
        ops=_GATHERING,
        even=True,
        exact=4,
        events={"backward": 4},
        shapes=_DEEP,
    ),
    Profile(
        "dtypes",
        "float32 leaves: gradients keep the dtype of their leaf",
        events={"backward": 6, "clear": 2},
        narrow=8,
        mixed=0,
        exact=4,
    ),
    Profile(
        "mixed-dtypes",
        "float32 and float64 leaves in one program",
        events={"backward": 6},
        narrow=8,
        mixed=8,
        exact=4,
    ),
    Profile(
        "multi-output",
        "split, whose outputs are used together, one by one or not at all",
        ops=("split", "concat", "add", "mul", "get_item", "sum", "square"),
    ),
    Profile(
        "twins",
        "leaves of one shape through the same operation: each has its own gradient",
        ops=_PASSING,
        events={"twins": 60, "backward": 60},
        shapes=((), (2,)),
        slots=5,
        ending="again",
    ),
    Profile(
        "modes",
        "operations under no_grad, and detached values that are used again",
        events={"backward": 20, "detach": 40},
        modes=True,
        slots=8,
    ),
    Profile(
        "no-grad",
        "operations under no_grad among recorded ones",
        events={"backward": 10},
        modes=True,
    ),
    Profile(
        "detach",
        "detached values that are used beside the values that they come from",
        events={"backward": 10, "detach": 40},
    ),
    Profile(
        "second-order",
        "a gradient of a gradient, through all operations",
        second_order=True,
        slots=8,
        exact=1,
    ),
    Profile(
        "curvature",
        "a gradient of a gradient, through operations whose slope changes",
        ops=_CURVED,
        even=True,
        second_order=True,
        slots=8,
        exact=1,
    ),
    Profile(
        "functions",
        "functions such as exp and tanh on numbers that are rounded",
        exact=0,
        narrow=3,
        events={"backward": 4, "clear": 2},
    ),
    Profile(
        "freed-graph",
        "a second backward through a graph that the first one freed, which raises",
        events={"backward": 4},
        slots=6,
        ending="freed",
    ),
    Profile(
        "errors",
        "one statement at the end that PyTorch refuses",
        events={"backward": 4},
        slots=6,
        modes=True,
        ending="error",
    ),
    Profile(
        "lifetime",
        "values that are dropped while their graph is still needed",
        events={"backward": 16, "drop": 30, "clear": 4},
    ),
    Profile(
        "rows",
        "operations without rules, each on operands that its row of the table describes",
        rows=True,
        exact=0,
        narrow=1,
        mixed=0,
        events={"backward": 6, "clear": 4},
        slots=3,
        max_size=1024,
        max_ndim=8,
    ),
    Profile(
        "bits",
        "operations whose bits IEEE 754 fixes, on numbers with arbitrary bits",
        ops=tuple(name for name, op in OPS.items() if op.rounded),
        events=_EVENTS,
        exact=0,
        narrow=4,
        shapes=_SMALL,
        max_size=4,
        wild=True,
    ),
)
PROFILES: dict[str, Profile] = {profile.name: profile for profile in _PROFILES}
