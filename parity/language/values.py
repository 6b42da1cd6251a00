"""Values of a program: arrays that it holds, and what is known of a value before it is run."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from parity._util.decode import Check, Convert, one_of
from parity.language.attributes import LONGEST, as_number, is_length
from parity.language.shapes import Shape, size

_Length = Annotated[int, Check(f"a length up to {LONGEST:,}", is_length)]
Lengths = tuple[_Length, ...]
Numbers = tuple[Annotated[float, Convert("a number", as_number)], ...]


class ProgramError(ValueError):
    """A program that makes no sense; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Info:
    """Properties of a value known before execution; ``requires_grad`` None: it depends."""

    shape: Shape
    dtype: str
    requires_grad: bool | None


#: There are few of them, so equal ones are one object.
info_of = functools.lru_cache(maxsize=4096)(Info)


@dataclass(frozen=True, slots=True)
class Constant:
    """An array: shape, dtype and values in C order."""

    shape: Lengths
    values: Numbers
    dtype: Annotated[str, one_of(("float32", "float64"))] = "float64"

    def array(self) -> NDArray[Any]:
        """A new array."""
        return np.array(self.values, self.dtype).reshape(self.shape)

    def __str__(self) -> str:
        is_hidden = size(self.shape) == 0 and self.shape != (0,)  # lists do not tell the shape
        text = f"zeros{self.shape}" if is_hidden else repr(self.array().tolist())
        return text if self.dtype == "float64" else f"{text}, {self.dtype}"


@dataclass(frozen=True, slots=True)
class Leaf(Constant):
    """A variable that the program starts from."""

    requires_grad: bool = True

    def info(self) -> Info:
        return info_of(self.shape, self.dtype, self.requires_grad)

    def __str__(self) -> str:
        text = Constant.__str__(self)
        return text if self.requires_grad else f"{text}, requires_grad=False"


def check_constant(constant: Constant, where: str) -> None:
    if constant.dtype not in ("float32", "float64"):
        raise ProgramError(f"{where}: dtype {constant.dtype!r} is not supported")
    if size(constant.shape) != len(constant.values):
        raise ProgramError(f"{where}: {len(constant.values)} values for shape {constant.shape}")
