"""Losses: with weights, labels and reductions."""

from __future__ import annotations

from parity.language.operation import Operation

_REDUCTION = {"reduction": ("mean", "sum", "none")}
_LABELS = "torch.tensor(labels)"
_WEIGHTS = "weight=torch.tensor(weights, dtype=a.dtype)"
_SIGNS = "torch.tensor(signs, dtype=a.dtype)"
_MARGIN = "the margin"

_REGRESSION: tuple[Operation, ...] = (
    Operation("mse_loss", "F.mse_loss(a, b, reduction=reduction)", "*s, *s", attributes=_REDUCTION),
    Operation(
        "mse_loss_weighted",
        "F.mse_loss(a, b, reduction=reduction, weight=c)",
        "*s, *s, *s",
        domain="R, R, P",
        attributes=_REDUCTION,
        differentiable=(True, True, True),
    ),
    Operation(
        "l1_loss",
        "F.l1_loss(a, b, reduction=reduction)",
        "*s, *s",
        attributes=_REDUCTION,
        kinks="equal elements",
    ),
    Operation(
        "smooth_l1_loss",
        "F.smooth_l1_loss(a, b, reduction=reduction, beta=beta)",
        "*s, *s",
        attributes={**_REDUCTION, "beta": (1.0, 0.5, 2.0)},
    ),
    Operation(
        "huber_loss",
        "F.huber_loss(a, b, reduction=reduction, delta=delta)",
        "*s, *s",
        attributes={**_REDUCTION, "delta": (1.0, 0.5, 2.0)},
    ),
    Operation("log_cosh_loss", "torch.mean(torch.log(torch.cosh(a - b)))", "*s, *s", ulps=16.0),
    Operation(
        "poisson_nll_loss",
        "F.poisson_nll_loss(a, b, log_input=log_input, full=full, reduction=reduction)",
        "*s, *s",
        domain="P, P",
        attributes={"log_input": (True, False), "full": "FLAG", **_REDUCTION},
        kinks="a target of 1 with full",
        ulps=16.0,
    ),
    Operation(
        "gaussian_nll_loss",
        "F.gaussian_nll_loss(a, b, c, full=full, reduction=reduction)",
        "m n, m n, m n",
        domain="R, R, P",
        attributes={"full": "FLAG", **_REDUCTION},
        ulps=16.0,
    ),
    Operation(
        "soft_margin_loss",
        f"F.soft_margin_loss(a, {_SIGNS}, reduction=reduction)",
        "m",
        attributes={"signs": "SIGNS", **_REDUCTION},
        ulps=16.0,
    ),
)

_PROBABILITIES: tuple[Operation, ...] = (
    Operation(
        "binary_cross_entropy",
        "F.binary_cross_entropy(a, b, reduction=reduction)",
        "*s, *s",
        domain="Q",
        attributes=_REDUCTION,
        ulps=16.0,
    ),
    Operation(
        "binary_cross_entropy_weighted",
        f"F.binary_cross_entropy(a, b, {_WEIGHTS}, reduction=reduction)",
        "m n, m n",
        domain="Q",
        attributes={"weights": "WEIGHTS", **_REDUCTION},
        ulps=16.0,
    ),
    Operation(
        "binary_cross_entropy_logits",
        "F.binary_cross_entropy_with_logits(a, b, reduction=reduction)",
        "*s, *s",
        domain="W, Q",
        attributes=_REDUCTION,
        ulps=16.0,
    ),
    Operation(
        "binary_cross_entropy_logits_weighted",
        f"F.binary_cross_entropy_with_logits(a, b, {_WEIGHTS}, reduction=reduction)",
        "m n, m n",
        domain="R, Q",
        attributes={"weights": "WEIGHTS", **_REDUCTION},
        ulps=16.0,
    ),
    Operation(
        "binary_cross_entropy_logits_positive",
        f"F.binary_cross_entropy_with_logits(a, b, pos_{_WEIGHTS}, reduction=reduction)",
        "m n, m n",
        domain="R, Q",
        attributes={"weights": "WEIGHTS", **_REDUCTION},
        ulps=16.0,
    ),
    Operation(
        "sigmoid_focal_loss",
        "(lambda p: (F.binary_cross_entropy_with_logits(a, b, reduction='none') "
        "* (1 - (p * b + (1 - p) * (1 - b))) ** gamma "
        "* (alpha * b + (1 - alpha) * (1 - b))).sum())(torch.sigmoid(a))",
        "m n, m n",
        domain="R, Q",
        attributes={"alpha": (0.25, 0.5), "gamma": (2.0, 1.0)},
        ulps=64.0,
    ),
    Operation(
        "log_loss",
        "-b * torch.log(a + epsilon) - (1 - b) * torch.log(1 - a + epsilon)",
        "m 1, m 1",
        domain="Q",
        attributes={"epsilon": (1e-4, 0.1)},
        ulps=16.0,
    ),
    Operation(
        "kl_div",
        "F.kl_div(a, b, reduction=reduction, log_target=log_target)",
        "m n, m n",
        domain="R, P",
        attributes={"reduction": ("batchmean", "sum", "none"), "log_target": "FLAG"},
        ulps=16.0,
    ),
    Operation("label_smooth", "a * 0.9 + 0.1 / a.shape[-1]", "m n", domain="Q"),
)

_CLASSES: tuple[Operation, ...] = (
    Operation(
        "cross_entropy",
        f"F.cross_entropy(a, {_LABELS}, reduction=reduction, label_smoothing=label_smoothing)",
        "m n",
        attributes={"labels": "LABELS", "label_smoothing": (0.0, 0.1), **_REDUCTION},
        ulps=16.0,
    ),
    Operation(
        "cross_entropy_weighted",
        f"F.cross_entropy(a, {_LABELS}, {_WEIGHTS}, reduction=reduction, "
        "label_smoothing=label_smoothing)",
        "m n",
        attributes={
            "labels": "LABELS",
            "weights": "WEIGHTS",
            "label_smoothing": (0.0, 0.1),
            **_REDUCTION,
        },
        ulps=16.0,
    ),
    Operation(
        "cross_entropy_ignored",
        f"F.cross_entropy(a, {_LABELS}, {_WEIGHTS}, reduction=reduction, "
        "label_smoothing=label_smoothing)",
        "M n",
        attributes={
            "labels": "LABELS_OR_IGNORED",
            "weights": "WEIGHTS",
            "label_smoothing": (0.0, 0.1),
            **_REDUCTION,
        },
        ulps=16.0,
    ),
    Operation(
        "cross_entropy_probabilities",
        "F.cross_entropy(a, b, reduction=reduction, label_smoothing=label_smoothing)",
        "m n, m n",
        domain="R, S",
        attributes={"label_smoothing": (0.0, 0.1), **_REDUCTION},
        ulps=16.0,
    ),
    Operation(
        "cross_entropy_soft_targets",  # which need not sum to 1
        f"F.cross_entropy(a, b, {_WEIGHTS}, reduction=reduction)",
        "m n, m n",
        domain="R, Q",
        attributes={"weights": "WEIGHTS", **_REDUCTION},
        ulps=16.0,
    ),
    Operation(
        "cross_entropy_images",
        f"F.cross_entropy(a, {_LABELS}, reduction=reduction, label_smoothing=label_smoothing)",
        "m n 2",
        attributes={"labels": "COLUMNS", "label_smoothing": (0.0, 0.1), **_REDUCTION},
        ulps=16.0,
    ),
    Operation(
        "nll_loss",
        f"F.nll_loss(a, {_LABELS}, {_WEIGHTS}, reduction=reduction)",
        "m n",
        attributes={"labels": "LABELS", "weights": "WEIGHTS", **_REDUCTION},
    ),
    Operation(
        "nll_loss_ignored",
        f"F.nll_loss(a, {_LABELS}, {_WEIGHTS}, reduction=reduction)",
        "M n",
        attributes={"labels": "LABELS_OR_IGNORED", "weights": "WEIGHTS", **_REDUCTION},
    ),
    Operation(
        "nll_loss_images",
        f"F.nll_loss(a, {_LABELS}, {_WEIGHTS}, reduction=reduction)",
        "m n 2",
        attributes={"labels": "COLUMNS", "weights": "WEIGHTS", **_REDUCTION},
    ),
    Operation(
        "multi_margin_loss",
        f"F.multi_margin_loss(a, {_LABELS}, p, margin, reduction=reduction)",
        "m n",
        attributes={"labels": "LABELS", "p": (1, 2), "margin": (1.0, 0.5), **_REDUCTION},
        kinks=_MARGIN,
    ),
    Operation(
        "multi_margin_loss_weighted",
        f"F.multi_margin_loss(a, {_LABELS}, p, 1.0, torch.tensor(weights, dtype=a.dtype), "
        "reduction=reduction)",
        "m n",
        attributes={"labels": "LABELS", "weights": "WEIGHTS", "p": (1, 2), **_REDUCTION},
        kinks=_MARGIN,
    ),
    Operation(
        "multilabel_margin_loss",
        f"F.multilabel_margin_loss(a, {_LABELS}, reduction=reduction)",
        "3 4",
        attributes={
            "labels": (
                ((0, -1, -1, -1), (1, 2, -1, -1), (3, 0, 1, 2)),
                ((1, 3, -1, 2), (-1, 0, 1, 2), (2, -1, -1, -1)),
            ),
            **_REDUCTION,
        },
        kinks=_MARGIN,
    ),
    Operation(
        "multilabel_soft_margin_loss",
        f"F.multilabel_soft_margin_loss(a, torch.tensor(mask).to(a.dtype), {_WEIGHTS}, "
        "reduction=reduction)",
        "m n",
        attributes={"mask": "MASK", "weights": "WEIGHTS", **_REDUCTION},
        ulps=16.0,
    ),
    Operation(
        "connectionist_temporal_loss",
        f"F.ctc_loss(F.log_softmax(a, -1), {_LABELS}, (6, input_length), (2, target_length), "
        "reduction=reduction, zero_infinity=zero_infinity)",
        "6 2 4",
        attributes={
            "labels": (((1, 2), (3, 1)), ((1, 1), (2, 2)), ((3, 2), (2, 3))),
            "input_length": (6, 5),
            "target_length": (2, 1),
            "reduction": ("sum", "none", "mean"),
            "zero_infinity": "FLAG",
        },
        ulps=64.0,
    ),
    Operation(
        "dice_loss",
        "1 - torch.mean((2 * (a * F.one_hot(torch.tensor(labels), a.shape[1])).sum(1)) "
        "/ (a.sum(1) + 1 + 1e-5))",
        "m n",
        domain="S",
        attributes={"labels": "LABELS"},
    ),
)

_PAIRS: tuple[Operation, ...] = (
    Operation(
        "cosine_embedding_loss",
        f"F.cosine_embedding_loss(a, b, {_SIGNS}, margin, reduction=reduction)",
        "m M, m M",
        domain="V",
        attributes={"signs": "SIGNS", "margin": (0.0, 0.25), **_REDUCTION},
        kinks=_MARGIN,
        ulps=16.0,
    ),
    Operation(
        "margin_ranking_loss",
        f"F.margin_ranking_loss(a, b, {_SIGNS}, margin, reduction=reduction)",
        "m, m",
        attributes={"signs": "SIGNS", "margin": (0.5, 0.0), **_REDUCTION},
        kinks=_MARGIN,
    ),
    Operation(
        "hinge_embedding_loss",
        f"F.hinge_embedding_loss(a, {_SIGNS}, margin, reduction=reduction)",
        "m",
        attributes={"signs": "SIGNS", "margin": (1.0, 0.5), **_REDUCTION},
        kinks=_MARGIN,
    ),
    Operation(
        "triplet_margin_loss",
        "F.triplet_margin_loss(a, b, c, margin, p, swap=swap, reduction=reduction)",
        "m n, m n, m n",
        attributes={
            "margin": (1.0, 0.5),
            "p": (2.0, 1.0, 3.0),
            "swap": "FLAG",
            **_REDUCTION,
        },
        kinks=f"{_MARGIN}, equal elements",
        ulps=16.0,
    ),
    Operation(
        "npair_loss",
        "l2_reg * ((a ** 2).sum(1).mean() + (b ** 2).sum(1).mean()) * 0.25 + F.cross_entropy("
        "a @ b.mT, (lambda t: t / t.sum(1, keepdim=True))((torch.tensor(labels)[:, None] "
        "== torch.tensor(labels)[None, :]).to(a.dtype)))",
        "m n, m n",
        attributes={"labels": "LABELS", "l2_reg": (0.002, 0.1)},
        ulps=16.0,
    ),
)

ROWS: tuple[Operation, ...] = (*_REGRESSION, *_PROBABILITIES, *_CLASSES, *_PAIRS)
