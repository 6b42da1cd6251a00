"""Adapter of TensorFlow in eager mode on the CPU. Importing it silences TensorFlow's log."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read once, when TensorFlow is imported
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import tensorflow as tf

from parity.engines.adapters.functional import Functional
from parity.engines.adapters.libraries import LIBRARIES, refusals

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


class TensorFlow(Functional):
    """``tensorflow`` with ``tf.GradientTape``."""

    name = "tensorflow"
    version = tf.__version__
    quirks = frozenset({"maximum-ties-first", "minimum-ties-first"})
    functions: ClassVar[dict[str, Callable[..., Any]]] = LIBRARIES["tensorflow"].ops()

    def array(self, a: Any) -> Any:
        return tf.constant(a)

    def vjp(self, function: Callable[..., Any], arguments: Any, seed: Any) -> Sequence[Any]:
        # A tape knows tensors by identity, and a detached one is the same as its leaf.
        arguments = [tf.identity(a) for a in arguments]
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            root = function(*arguments)
        if seed.shape != root.shape:
            raise ValueError("the gradient has another shape than the root")  # TensorFlow takes it
        with refusals():
            gradients = tape.gradient(root, arguments, seed, tf.UnconnectedGradients.ZERO)
            return [tf.convert_to_tensor(g) for g in gradients]
