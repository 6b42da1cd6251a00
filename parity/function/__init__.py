"""``parity.check_function``: one function with a backward of its own, tested from all sides.

For the author of a ``torch.autograd.Function``, or of a kernel behind a function of tensors.
Modules, in reading order:

- ``check``: ``check_function``, from the arguments to the result.
- ``cases``: at which inputs the function runs, from small to large.
- ``frameworks``: how values and gradients of a function are computed in PyTorch, JAX and Paddle.
- ``judge``: whether a gradient is right, by a reference or by differences of the values.
- ``orders``: the checks of values, gradients and second derivatives.
- ``variants``: the same gradient in other settings, such as a transposed upstream gradient. They
  need PyTorch alone, as their text becomes part of scripts.
- ``settings``: runs the variants.
- ``precision``: float32 and bfloat16.
- ``causes``: what typically is the cause, and how to mend it.
- ``result``, ``script``: what is reported.
"""
