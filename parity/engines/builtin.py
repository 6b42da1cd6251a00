"""Names of the built-in engines and where their adapters are; imports none of them."""

from __future__ import annotations

#: Engines that have a name of their own.
BUILT_IN = {
    "dezero": "parity.engines.adapters.dezero:Dezero",
    "exact": "parity.oracle.exact.engine:Exact",
    "torch.func": "parity.engines.adapters.torch_func:TorchFunc",
    "torch": "parity.engines.adapters.torch:Torch",
    "micrograd": "parity.engines.adapters.micrograd:Micrograd",
    "mygrad": "parity.engines.adapters.mygrad:MyGrad",
    "autograd": "parity.engines.adapters.autograd:Autograd",
    "jax": "parity.engines.adapters.jax:Jax",
}
#: Those of other projects: the packages that each needs, all in the extra ``peers``.
PEERS = {
    "micrograd": ("micrograd",),
    "mygrad": ("mygrad",),
    "autograd": ("autograd", "scipy"),
    "jax": ("jax", "jaxlib"),
}
#: Under test against something else, these are taken without a reference's precautions.
AS_IS = {"torch": "parity.engines.adapters.torch:AsIs"}
