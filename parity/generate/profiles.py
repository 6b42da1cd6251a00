"""Profiles: what the programs of one property look like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from parity.generate.leaf_shapes import DEEP, FEW, LARGE, SCALE, SHAPES, SMALL, WIDE
from parity.language.forms import FUNCTIONS
from parity.language.shapes import Shape
from parity.language.table import OPS

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
    #: How many operations half of the programs have at most, so that events meet; 0: no limit.
    few: int = 0
    #: Whether all operations come equally often.
    even: bool = False
    #: Whether the programs are of operations without rules (``parity.generate.rows``).
    rows: bool = False
    #: "special" or "beyond": leaves have numbers at which formulas go wrong
    #: (``parity.generate.special_values``), and operations are applied outside their domains.
    special: str = ""
    #: The most dimensions of a value.
    max_ndim: int = 3
    #: Whether arrays are large: patterns, and shapes of leaves that follow from the first one.
    large: bool = False
    #: In every how many turns of the profiles it has one.
    turns: int = 1
    #: Whether in most programs values are read later or never (``language.program.UNREAD``).
    unread: bool = False
    #: Whether arrays that a program is given have other layouts (``language.layouts``).
    layouts: bool = False
    #: Whether each result is moved (``value_events.twist``), and operations mostly use the newest.
    twisted: bool = False
    #: Whether values are dropped around recorded backwards, and a third order may follow.
    recorded: bool = False
    #: Whether programs are rewritten for engines that take them whole (``parity.generate.whole``).
    whole: bool = False

    @property
    def size(self) -> int:
        """How many bytes make a program."""
        return HEADER_BYTES + self.leaves * LEAF_BYTES + self.slots * SLOT_BYTES


#: What events need of an engine.
EVENT_NEEDS: dict[str, str] = {
    "clear": "clear_grad",
    "zero": "zero_grad",
    "detach": "detach",
    "beside": "detach",
    "change_grad": "buffer",
    **dict.fromkeys(("enter", "leave", "block"), "no_grad"),
    **dict.fromkeys(("change", "update"), "inplace"),
    "detach_in_place": "detach_",
    "user": "function",
    "hook": "hook",
    "remove": "hook",
    "retain_grad": "retain_grad",
    "set_grad": "set_grad",
    "backward_many": "backward_many",
    "grad": "grad_of_values",
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

#: Operations that are exact, most of them of two operands.
_PLAIN = (
    *("add", "mul", "sub", "neg", "square", "mul_scalar", "add_scalar"),
    *("sum", "get_item", "reshape", "concat", "split", "matmul", "broadcast_to"),
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
        shapes=DEEP,
        slots=10,
    ),
    Profile(
        "gathering",
        "reductions and other operations that gather elements along axes",
        ops=_GATHERING,
        even=True,
        exact=4,
        events={"backward": 4},
        shapes=DEEP,
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
        "large",
        "operations on arrays of up to five dimensions and about a thousand elements",
        shapes=LARGE,
        large=True,
        exact=2,
        narrow=2,
        events={"backward": 24, "clear": 4},
        slots=8,
        max_size=4200,
        max_ndim=5,
    ),
    Profile(
        "scale",
        "operations on arrays of 4,097 to 70,000 elements",
        shapes=SCALE,
        large=True,
        exact=6,
        narrow=1,
        events={"backward": 12},
        slots=10,
        leaves=2,
        max_size=140_000,
        turns=4,
    ),
    Profile(
        "wide",
        "a value that is used up to 64 times, and graphs that share a part",
        events={"fan": 60, "fork": 20, "backward": 4, "clear": 4, "zero": 2},
        slots=4,
    ),
    Profile(
        "long",
        "chains of hundreds of operations, and loops of ten steps forward and back",
        events={"chain": 60, "loop": 60, "clear": 2},
        slots=3,
        shapes=SMALL,
        turns=10,
    ),
    Profile(
        "unread",
        "values that are read at the end or never, of leaves in any layout",
        events={**_EVENTS, "detach": 6, "drop": 16, "read": 10},
        modes=True,
        slots=10,
        few=4,
        unread=True,
        layouts=True,
    ),
    Profile(
        "twisted",
        "gradients that arrive as a transpose, a slice or a broadcast, of leaves in any layout",
        events={"backward": 12},
        shapes=WIDE,
        slots=6,
        even=True,
        unread=True,
        layouts=True,
        twisted=True,
    ),
    Profile(
        "recorded",
        "second and third order beside values that are dropped, detached or under no_grad",
        ops=_CURVED,
        events={"backward": 5, "zero": 3, "clear": 3, "beside": 16, "detach": 4, "drop": 8},
        modes=True,
        second_order=True,
        slots=7,
        few=3,
        exact=1,
        unread=True,
        recorded=True,
    ),
    Profile(
        "bits",
        "operations whose bits IEEE 754 fixes, on numbers with arbitrary bits",
        ops=tuple(name for name, op in OPS.items() if op.rounded),
        events=_EVENTS,
        exact=0,
        narrow=4,
        shapes=SMALL,
        max_size=4,
        wild=True,
    ),
    Profile(
        "blocks",
        "blocks under no_grad and enable_grad, in each other, and left by exceptions",
        ops=_PLAIN,
        events={"backward": 14, "block": 40, "enter": 14, "leave": 20},
        exact=8,
        slots=7,
    ),
    Profile(
        "in-place",
        "values and leaves that are changed in place, and what PyTorch refuses of that",
        ops=(*_PLAIN, "div"),
        events={"backward": 20, "change": 50, "update": 16, "detach_in_place": 8, "clear": 4},
        exact=7,
        slots=8,
        ending="refused",
    ),
    Profile(
        "user-functions",
        "functions of the user, with several inputs and outputs, called more than once",
        ops=_PLAIN,
        events={"backward": 14, "user": 60},
        exact=8,
        slots=7,
    ),
    Profile(
        "special",
        "one to three operations at zeros, ties, neighbours, poles, and far from zero",
        special="special",
        even=True,
        exact=0,
        narrow=2,
        mixed=0,
        events={"masked": 12},
        shapes=FEW,
        slots=3,
        max_size=12,
    ),
    Profile(
        "beyond",
        "one to three operations on infinities, nan, negative zero, very large and small numbers",
        special="beyond",
        even=True,
        exact=0,
        narrow=2,
        mixed=0,
        events={"masked": 4},
        shapes=FEW,
        slots=3,
        max_size=12,
    ),
    Profile(
        "tape",
        "hooks, kept and assigned gradients, several roots, gradients as results",
        events={
            "backward": 16,
            "hook": 16,
            "remove": 5,
            "retain_grad": 14,
            "set_grad": 12,
            "backward_many": 18,
            "grad": 18,
            "clear": 3,
            "zero": 3,
            "change_gradient": 6,
        },
        slots=10,
        few=3,
        ending="again",
    ),
)
#: Profiles whose programs make sense as one function, which engines that take whole programs run.
_AS_FUNCTIONS = (
    *("general", "gradients", "moving", "multi-output", "modes", "broadcasting", "dtypes"),
    *("gathering", "functions"),
)
#: The operations of ``parity.language.forms``, and some between them.
_FORMED = (*FUNCTIONS, "sum", "matmul", "reshape", "transpose", "concat", "get_item", "mean")
_WHOLE = (
    Profile(
        "whole-forms",
        "operations in forms that mean the same, in programs that an engine takes whole",
        ops=_FORMED,
        events={"backward": 6, "drop": 2},
        shapes=SMALL,
        slots=6,
        few=3,
        even=True,
        whole=True,
    ),
    *(
        replace(
            profile,
            name=f"whole-{profile.name}",
            description=f"{profile.description}, in programs that an engine takes whole",
            events={e: w for e, w in profile.events.items() if e in ("backward", "detach", "drop")},
            whole=True,
        )
        for profile in _PROFILES
        if profile.name in _AS_FUNCTIONS
    ),
)
PROFILES: dict[str, Profile] = {profile.name: profile for profile in (*_PROFILES, *_WHOLE)}
