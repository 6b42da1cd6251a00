"""Code that typically makes an operation wrong under a condition, and how to mend it."""

from __future__ import annotations

#: By condition, the first that is listed: the code, and what to write in its place.
_OF_CONDITION: dict[str, tuple[str, str]] = {
    "many-ties": ("gx = gy * (x == y)", "gx = gy * (x == y) / (x == y).sum(axis, keepdims=True)"),
    "all-tie": ("gx = gy * (x == y)", "gx = gy * (x == y) / (x == y).sum(axis, keepdims=True)"),
    "ties": ("gx = gy * (x == y)", "gx = gy * (x == y) / (x == y).sum(axis, keepdims=True)"),
    "equal": ("ga = gy * (a >= b)", "give half of the gradient to each where a == b"),
    "repeated-index": ("gx[index] += gy", "np.add.at(gx, index, gy)"),
    "not-inverse": ("gx = gy.transpose(axes)", "gx = gy.transpose(np.argsort(axes))"),
    "negative-axis": ("an axis is used as it is given", "axis = axis % x.ndim"),
    "first-broadcast": ("ga = gy", "ga = sum_to(gy, a.shape)"),
    "second-broadcast": ("gb = gy", "gb = sum_to(gy, b.shape)"),
    "broadcast": ("ga, gb = gy, gy", "ga, gb = sum_to(gy, a.shape), sum_to(gy, b.shape)"),
    "no-keepdims": (
        "gx = np.broadcast_to(gy, x.shape)",
        "gx = np.broadcast_to(np.expand_dims(gy, axis), x.shape)",
    ),
    "no-axis": ("axis=None is taken for an integer", "axis=None stands for all axes"),
    "axis-tuple": ("a tuple of axes is taken for an integer", "loop over the axes"),
    "several-axes": ("a tuple of axes is taken for an integer", "loop over the axes"),
    "0-d": ("an array is taken for granted", "np.asarray: NumPy returns numbers for 0-d arrays"),
    "0-d-result": ("np.sum returns a number", "np.asarray: NumPy returns numbers for 0-d arrays"),
    "float32": ("np.zeros(shape)", "np.zeros(shape, dtype=x.dtype)"),
    "mixed": ("the gradient has the dtype of the result", "ga = ga.astype(a.dtype)"),
    "constant": ("a gradient is computed for every operand", "skip operands that are constants"),
    "seed": ("the gradient of the result is left out", "multiply by gy"),
    "zero": ("a division by the operand", "take the value at zero apart"),
    "later-output": ("only the first output is considered", "gradients of all outputs"),
}
#: By what is wrong and in which way.
_OF_SYMPTOM: dict[tuple[str, str], tuple[str, str]] = {
    ("value", "changes"): ("x += y in place", "x = x + y"),
    ("gradient", "changes"): ("gy *= x in place", "gy = gy * x"),
    ("gradient", "dtype"): ("np.zeros(shape)", "np.zeros(shape, dtype=x.dtype)"),
}


def repair_of(names: tuple[str, ...], of: str, way: str) -> tuple[str, str]:
    """Return typical code of such a cause and how to mend it; "" where nothing is known."""
    for name in names if of != "value" or way.startswith("raises") else ():
        if name in _OF_CONDITION:
            return _OF_CONDITION[name]
    return _OF_SYMPTOM.get((of, way), ("", ""))
