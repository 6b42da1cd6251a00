"""Expressions of rows: what computes is accepted, and nothing else is."""

from __future__ import annotations

import pytest
import torch

from parity.language.expression import ExpressionError, check, compiled, spelled_out
from parity.language.operation import Operation
from parity.language.plain_rows import register_rows
from parity.language.table import OPS

HOSTILE = (
    # Files, programs and modules.
    "open('x', 'w')",
    "exec('1')",
    "eval('1')",
    "compile('1', '', 'eval')",
    "__import__('os').system('true')",
    "getattr(torch, 'load')(a)",
    "print(a)",
    "input()",
    "globals()",
    "vars(torch)",
    "torch.load('x')",
    "torch.save(a, 'x')",
    "torch.from_file('x', shared=True, size=9)",
    "torch.hub.load('x', 'y')",
    "torch.os.system('true')",
    "torch.ops.load_library('x')",
    "torch.nn.functional.importlib.import_module('os')",
    "torch.nn.functional.torch.load('x')",
    "torch.PyTorchFileWriter('x')",
    "torch.import_ir_module(a, 'x')",
    "torch.jit.script(a)",
    "torch.compile(a)",
    "torch.utils.cpp_extension.load('x', 'y')",
    "torch.utils.data",
    # The same by other names.
    "[torch.os][0].system('true')",
    "[torch][0].os",
    "(lambda t: t.load('x'))(torch)",
    "[t.os for t in [torch]]",
    "[torch.hub for a in (1,)][0].load('x', 'y')",
    "torch.nn.functional",
    "torch",
    # Private names, and what is reached through them.
    "a.__class__.__mro__[-1].__subclasses__()",
    "torch.exp.__globals__",
    "().__class__",
    "(lambda: 0).__code__",
    "a._typed_storage()",
    "torch._C",
    "(x for x in a).gi_frame",
    "'{0.__class__}'.format(a)",
    "'%s'.join(a)",
    # Methods that write, register or share.
    "a.numpy().tofile('x')",
    "a.dump('x')",
    "a.data",
    "a.untyped_storage().from_file('x')",
    "a.register_hook(a)",
    "a.share_memory_()",
    "a.apply_(abs)",
    "a.backward()",
    # Settings of PyTorch, which hold for the reference as well.
    "torch.set_grad_enabled(False)",
    "torch.set_default_dtype(torch.float16)",
    "torch.manual_seed(0)",
    "torch.use_deterministic_algorithms(True)",
    # Other parts of Python.
    "(b := a)",
    "f'{a}'",
    "(yield a)",
    "(await a)",
    "{a: 1}",
    "{i for i in a}",
    "unknown(a)",
    "a +",
    "a; a",
    "a\n    a",
    "(" * 500 + "a" + ")" * 500,
    "-" * 500 + "a",
    " + ".join("a" * 300),
    "1 if a else " * 130 + "1",
    # What runs for long or becomes large, said in the text.
    "range(10**12, 99999)",
    "a * 10_000_000",
    "[0 for i in range(9) for j in range(9) for k in range(9) for m in range(9)]",
    "(lambda f: f(f(f(2))))(lambda n: n)",
    "[lambda: 0][0]()",
    "(lambda f: f(2))(a)",
    "(lambda len: len(2))(lambda n: n)",
    "\0",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_does_more_than_compute_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compiled(f"lambda a: {text}")
    assert str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("range(n)", "a range of more than 256 numbers"),
        ("list(range(n))", "a range of more than 256 numbers"),
        ("range(int(1e12))", "a range of more than 256 numbers"),
        ("[0] * n", "a sequence of more than 10,000 elements"),
        ("n * (0, 1)", "a sequence of more than 10,000 elements"),
        ("'a' * 9999 * 9999", "a sequence of more than 10,000 elements"),
        ("a.shape * n", "a sequence of more than 10,000 elements"),
        ("(lambda s: (lambda s: s + s)(s * 9999))([0])", "a sequence of more than 10,000 elements"),
        ("2 ** n", "a whole number of more than 1024 bits"),
        ("9 ** 9 ** 9 ** 9", "a whole number of more than 1024 bits"),
        ("2 ** 10 ** 9", "a whole number of more than 1024 bits"),
        ("1 << n", "a whole number of more than 1024 bits"),
        ("n " + "* n " * 40, "a whole number of more than 1024 bits"),
    ],
)
def test_what_becomes_large_is_refused_when_it_runs(text: str, reason: str) -> None:
    function = compiled(f"lambda a, *, n: {text}")
    with pytest.raises(ExpressionError, match=reason):
        function(torch.ones(2), n=10**12)


def test_a_row_that_becomes_large_is_refused_in_one_line() -> None:
    row = Operation("large_row", "a + len([0] * n)", attributes={"n": (100_000,)})
    with pytest.raises(ValueError, match=r"large_row: .* a sequence of more than 10,000 elements$"):
        register_rows([row])
    row = Operation("long_row", "a + sum(i for i in range(1_000_000_000))")
    with pytest.raises(ValueError, match=r"long_row: a whole number above 10,000$"):
        register_rows([row])


def test_operators_do_what_they_do() -> None:
    text = "(a + 1) * 2 ** n, (1,) * n * 2, 'a' + 'b', 2.0 ** -n, 0 ** n, [1] * 0, n * True, 1 << n"
    found = compiled(f"lambda a, *, n: ({text})")(torch.ones(1), n=3)
    assert found[0].tolist() == [16.0]
    assert found[1:] == ((1,) * 6, "ab", 0.125, 0, [], 3, 8)


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "lambda a: (yield)",
        "lambda a, b=open('x'): a",
        "lambda a, *, __class__: __class__",
        "lambda a: a, open('x')",
        "lambda a, a: a",
        "lambda a, *, for: a",
        "",
    ],
)
def test_sources_that_are_no_such_lambda_are_refused(source: str) -> None:
    with pytest.raises(ExpressionError):
        compiled(source)


@pytest.mark.parametrize(
    "text",
    [
        "a + b * 2 ** 0.5 - -a",
        "torch.cumsum(a, dim=axis)",
        "torch.nn.functional.pad(a, (1, 2))",
        "torch.linalg.slogdet(a).logabsdet",
        "torch.special.erfcx(a.mT)",
        "torch.fft.rfft(a).abs()",
        "torch.max(a, axis).values",
        "torch.stack([x * i for i, x in enumerate(a.unbind(0)) if i > 0], 0)",
        "(lambda m: m - m.mean())(a)",
        "a[..., None] if a.ndim > 1 else a.reshape(-1)",
        "torch.tensor([1.0, float('inf')], dtype=torch.float64) * torch.pi",
        "sum(torch.eye(2) for _ in range(max(1, 2)))",
        "a.to(torch.bool) & (a > 0) | ~(b != 0)",
    ],
)
def test_what_computes_is_accepted(text: str) -> None:
    check(f"lambda a, b, *, axis: {text}")


def test_every_row_is_accepted() -> None:
    for op in OPS.values():
        check(op.source)


def test_the_function_computes() -> None:
    function = compiled("lambda a, *, axis: torch.cumsum(a * torch.tensor(2.0), dim=axis)")
    assert function(torch.tensor([1.0, 2.0]), axis=0).tolist() == [2.0, 6.0]


def test_the_short_name_is_spelled_out() -> None:
    assert spelled_out("F.relu(a.F.x + F.elu(aF.b))") == (
        "torch.nn.functional.relu(a.F.x + torch.nn.functional.elu(aF.b))"
    )
