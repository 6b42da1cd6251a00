"""Names of the built-in engines and where their adapters are; imports none of them."""

from __future__ import annotations

#: Engines that have a name of their own.
BUILT_IN = {
    "dezero": "parity.engines.adapters.dezero:Dezero",
    "exact": "parity.oracle.exact.engine:Exact",
    "torch": "parity.engines.adapters.torch:Torch",
    "torch.func": "parity.engines.adapters.torch_func:TorchFunc",
    "micrograd": "parity.engines.adapters.micrograd:Micrograd",
    "mygrad": "parity.engines.adapters.mygrad:MyGrad",
    "autograd": "parity.engines.adapters.autograd:Autograd",
    "jax": "parity.engines.adapters.jax:Jax",
    "paddle": "parity.engines.adapters.paddle:Paddle",
    "tensorflow": "parity.engines.adapters.tensorflow:TensorFlow",
    "mlx": "parity.engines.adapters.mlx:Mlx",
}
#: What each of them is.
DESCRIPTIONS = {
    "dezero": "the engine of this project, on NumPy, after Deep Learning from Scratch 3",
    "exact": "the third evaluation: forward mode in exact arithmetic, as an engine or a reference",
    "torch": "PyTorch in eager mode on the CPU, the reference",
    "torch.func": "PyTorch's vjp of functions",
    "micrograd": "Karpathy's engine of scalars",
    "mygrad": "an engine on NumPy with views and in-place changes",
    "autograd": "HIPS autograd, which differentiates functions of NumPy",
    "jax": "JAX's vjp, each operation compiled for each shape",
    "paddle": "PaddlePaddle in dynamic mode",
    "tensorflow": "TensorFlow's GradientTape in eager mode",
    "mlx": "Apple's MLX, which differentiates functions",
}
#: Those of other projects: the packages that each needs, all in the extra ``peers``.
PEERS = {
    "micrograd": ("micrograd",),
    "mygrad": ("mygrad",),
    "autograd": ("autograd", "scipy"),
    "jax": ("jax", "jaxlib"),
}
#: Frameworks, in no extra since they are large: the package that each needs, and what pip installs.
#: Some of their operations crash, so that they run in a process of their own.
FRAMEWORKS = {
    "paddle": ("paddle", "paddlepaddle"),
    "tensorflow": ("tensorflow", "tensorflow"),
    "mlx": ("mlx", "'mlx[cpu]'"),
}
#: Under test against something else, these are taken without a reference's precautions.
AS_IS = {"torch": "parity.engines.adapters.torch:AsIs"}


def requirements(name: str) -> tuple[tuple[str, ...], str]:
    """Return the packages that an engine needs, and what ``pip install`` is given for them."""
    if name in FRAMEWORKS:
        package, installed = FRAMEWORKS[name]
        return (package,), installed
    return PEERS.get(name, ()), "'dezero-parity[peers]'"
