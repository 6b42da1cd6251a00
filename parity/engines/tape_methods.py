"""Optional methods of ``parity.engines.base.Engine`` for statements of the tape."""

from __future__ import annotations

from typing import Any


class TapeMethods:
    """Hooks, kept and assigned gradients, passes from several roots, and gradients as results."""

    def hook(self, t: Any, function: Any) -> Any:
        """Call a function with the gradient of a tensor in each pass, ``t.register_hook(f)``.

        Optional. Once a pass, with the sum of all that arrives at ``t`` in it, before the
        gradient is accumulated or sent on. Several hooks of one tensor run in the order in which
        they were set, each with what the one before returned. PyTorch rule: docs/semantics.md 13.1.

        Parameters
        ----------
        t
            A leaf, or the only result of an operation, that requires a gradient.
        function
            Takes the gradient as a tensor of the engine, and returns a tensor that takes its
            place, or None to leave it as it is.

        Returns
        -------
        object
            With the method ``remove()``, after which the function is not called any more.
        """
        raise NotImplementedError

    def retain_grad(self, t: Any) -> None:
        """Keep the gradient of a computed tensor, which ``grad`` then returns.

        Optional. Gradients of several passes accumulate. It is the gradient after all hooks. Does
        nothing on a leaf. PyTorch rule: docs/semantics.md 5.2.
        """
        raise NotImplementedError

    def set_grad(self, t: Any, array: Any) -> None:
        """Give a leaf a gradient in place of the one that it has, ``x.grad = ...`` in PyTorch.

        Optional. Later passes add to it. PyTorch rule: docs/semantics.md 2.6.

        Parameters
        ----------
        t
            A leaf that requires a gradient.
        array
            An ndarray with its shape and dtype. The caller may change it later, and the engine
            must not, so it has to be copied.
        """
        raise NotImplementedError

    def backward_many(
        self,
        ts: Any,
        gs: Any,
        *,
        inputs: Any = None,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Run one backward pass from several roots, ``torch.autograd.backward(ts, gs)``.

        Optional. PyTorch rule: docs/semantics.md 4.6.

        Parameters
        ----------
        ts
            A list of roots. One may be there twice, or lie behind another one: all of them count.
        gs
            A list with a gradient for each: as ``gradient`` of ``backward``.
        inputs
            A list of leaves: the gradients of others do not change. None for all leaves.
        retain_graph, create_graph
            As for ``backward``.
        """
        raise NotImplementedError

    def grad_of_values(
        self,
        ys: Any,
        xs: Any,
        gs: Any,
        *,
        create_graph: bool = False,
        retain_graph: bool = False,
        allow_unused: bool = False,
    ) -> Any:
        """Return gradients as tensors, ``torch.autograd.grad(ys, xs, gs)``.

        Optional. No gradient of a leaf changes. PyTorch rule: docs/semantics.md 7.4.

        Parameters
        ----------
        ys, gs
            The roots and their gradients, as for ``backward_many``.
        xs
            A list of leaves and computed tensors.
        create_graph
            Whether the results can be differentiated; otherwise they are constants.
        retain_graph
            As for ``backward``.
        allow_unused
            Whether the result is None for each of ``xs`` on which no root depends. Without it
            such a tensor raises.

        Returns
        -------
        tuple
            A tensor of the engine, or None, for each of ``xs``.
        """
        raise NotImplementedError
