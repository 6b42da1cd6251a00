"""Forms of an operation that mean the same and that compilers treat in different ways.

A statement may name one, such as ``mul(x0, x0)  # form function``: an engine that takes whole
programs applies the operation in that form, all others as it is. Here are the names, and to which
operations each applies; how a framework writes it is a matter of its engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parity.language.values import Info

#: Operations with a function of the user's own (``torch.autograd.Function`` in PyTorch) that keeps
#: its operands, its result, or nothing for the backward.
KEEPS_INPUT = ("mul", "div", "square", "sin", "cos")
KEEPS_RESULT = ("exp", "tanh", "sigmoid", "relu", "sqrt")
KEEPS_NOTHING = ("add", "sub", "neg", "mul_scalar")
FUNCTIONS = (*KEEPS_INPUT, *KEEPS_RESULT, *KEEPS_NOTHING)
#: Those that can be done in place.
IN_PLACE = (*("add", "sub", "mul", "div", "neg", "exp", "sin", "cos", "tanh", "sigmoid"), "square")

#: The form that is a matter of the whole function: an operand is an argument of its own.
ARGUMENT = "argument"
#: Those with several results, or a tuple of one.
SEVERAL = frozenset({"split"})


@dataclass(frozen=True)
class Form:
    """A form: its name, what it is in words, and where it applies."""

    name: str
    description: str
    #: The operations; empty: all with one result.
    ops: tuple[str, ...] = ()
    #: Whether the first operand must have the shape of the result, all operands one dtype.
    same_shape: bool = False

    def fits(self, op: str, inputs: Sequence[int], infos: Mapping[int, Info], results: int) -> bool:
        """Whether an operation on these values may have the form."""
        if results != 1 or op in SEVERAL or (self.ops and op not in self.ops):
            return False
        if len({infos[i].dtype for i in inputs}) > 1:
            return False
        return not self.same_shape or len({infos[i].shape for i in inputs}) == 1


_FORMS = (
    Form("function", "through a user's function (torch.autograd.Function)", FUNCTIONS),
    Form("function-setup", "through a user's function with setup_context", FUNCTIONS),
    Form(
        "function-attribute",
        "through a user's function that keeps attributes of the context",
        FUNCTIONS,
    ),
    Form(
        "function-lazy", "through a user's function that gets None for missing gradients", FUNCTIONS
    ),
    Form(
        "function-out", "through a user's function whose forward writes with out=", ("mul", "add")
    ),
    Form("identity", "of operands that passed the user's identity"),
    Form("identity-twice", "of operands that passed the user's identity twice"),
    Form("identity-view", "of operands that passed a user's function that returns a view"),
    Form("identity-result", "whose result passes the user's identity"),
    Form("square-as-product", "as the user's product of one tensor with itself", ("square",)),
    Form("dirty", "through a user's function that changes a copy in place", ("mul_scalar", "neg")),
    Form("in-place", "in place on a fresh copy", IN_PLACE, same_shape=True),
    Form("in-place-view", "in place on a view of a fresh copy", IN_PLACE, same_shape=True),
    Form("write", "whose result is copied into a new tensor"),
    Form("write-view", "whose result is written through a view of a new tensor"),
    Form("write-index", "whose result is written by an index"),
    Form("copy", "of copies of its operands"),
    Form("tuple", "with a tuple of tensors as argument and result"),
    Form("dictionary", "with a dictionary of tensors as argument and result"),
    Form("list", "of operands that a loop collects in a list"),
    Form("closure", "in a closure over its operands"),
    Form("generator", "in a generator"),
    Form("lambda", "in a lambda with default arguments"),
    Form("module", "in the forward of a module"),
    Form("module-tied", "in a module that is applied twice, of which one result is dropped"),
    Form("checkpoint", "inside torch.utils.checkpoint"),
    Form("checkpoint-reuse", "inside torch.utils.checkpoint, whose result is used once more"),
    Form("vmap", "under torch.vmap over one element", FUNCTIONS),
    Form("cond", "inside torch.cond", FUNCTIONS),
    Form("branch", "behind a Python branch on the shape"),
    Form(ARGUMENT, "gets its last operand as a further argument, the same object"),
    Form("grad-mode", "after the gradient mode was left and entered again"),
    Form("unpacked", "of operands that were stacked and unpacked", same_shape=True),
    Form("transposed", "of operands that were transposed twice"),
)
FORMS: dict[str, Form] = {form.name: form for form in _FORMS}
