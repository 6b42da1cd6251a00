"""Functions of PyTorch with right gradients, to see that a check finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

ROW, PAIR = ((3, 4),), ((3, 4), (3, 4))

#: Name, function, shapes and domain.
PLAIN: tuple[tuple[str, Callable[..., Any], tuple[tuple[int, ...], ...], str], ...] = (
    ("exp", torch.exp, ROW, "R"),
    ("log", torch.log, ROW, "P"),
    ("sqrt", torch.sqrt, ROW, "N"),
    ("sin", torch.sin, ROW, "R"),
    ("tanh", torch.tanh, ROW, "R"),
    ("sigmoid", torch.sigmoid, ROW, "R"),
    ("abs", torch.abs, ROW, "R"),
    ("relu", torch.relu, ROW, "R"),
    ("gelu", F.gelu, ROW, "R"),
    ("elu", F.elu, ROW, "R"),
    ("square", torch.square, ROW, "R"),
    ("reciprocal", torch.reciprocal, ROW, "Z"),
    ("sign", torch.sign, ROW, "R"),
    ("round", torch.round, ROW, "R"),
    ("add", torch.add, PAIR, "R"),
    ("mul", torch.mul, PAIR, "R"),
    ("div", torch.div, PAIR, "R, Z"),
    ("pow", torch.pow, PAIR, "P"),
    ("maximum", torch.maximum, PAIR, "R"),
    ("hypot", torch.hypot, PAIR, "R"),
    ("atan2", torch.atan2, PAIR, "R"),
    ("where", lambda a, b: torch.where(a > b, a * b, b), PAIR, "R"),
    ("matmul", torch.matmul, ((3, 4), (4, 5)), "R"),
    ("bmm", torch.bmm, ((2, 3, 4), (2, 4, 2)), "R"),
    ("linear", F.linear, ((3, 4), (5, 4), (5,)), "R"),
    ("softmax", lambda x: torch.softmax(x, -1), ROW, "R"),
    ("log_softmax", lambda x: torch.log_softmax(x, -1), ROW, "R"),
    ("logsumexp", lambda x: torch.logsumexp(x, -1), ROW, "R"),
    ("norm", torch.linalg.vector_norm, ROW, "R"),
    ("max", torch.max, ROW, "R"),
    ("max along an axis", lambda x: torch.max(x, -1), ROW, "R"),
    ("amax", lambda x: torch.amax(x, -1), ROW, "R"),
    ("median", lambda x: torch.median(x, -1), ROW, "R"),
    ("sort", lambda x: torch.sort(x, -1), ROW, "R"),
    ("topk", lambda x: torch.topk(x, 1), ROW, "R"),
    ("cumsum", lambda x: torch.cumsum(x, -1), ROW, "R"),
    ("cumprod", lambda x: torch.cumprod(x, -1), ROW, "R"),
    ("prod", torch.prod, ROW, "R"),
    ("mean", torch.mean, ROW, "R"),
    ("var", lambda x: torch.var(x, -1, correction=0), ROW, "R"),
    ("layer_norm", lambda x, w: F.layer_norm(x, w.shape, w), ((3, 4), (4,)), "R"),
    ("transpose", torch.t, ROW, "R"),
    ("flip", lambda x: x.flip(-1), ROW, "R"),
    ("unbind", torch.unbind, ROW, "R"),
    ("pad", lambda x: F.pad(x, (1, 1)), ROW, "R"),
    ("solve", torch.linalg.solve, ((3, 3), (3, 2)), "M, R"),
    ("conv1d", F.conv1d, ((2, 3, 7), (4, 3, 2)), "R"),
    ("prelu", F.prelu, ((3, 4), (4,)), "R"),
    ("huber_loss", F.huber_loss, PAIR, "R"),
    ("attention", F.scaled_dot_product_attention, ((1, 3, 4), (1, 3, 4), (1, 3, 4)), "R"),
    ("standardize", lambda x: (x - x.mean(0)) / x.std(0, correction=0), ROW, "C"),
    ("identity", lambda x: x, ROW, "R"),
)
