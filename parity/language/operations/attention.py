"""Attention, and the cells of recurrent networks."""

from __future__ import annotations

from parity.language.operation import Operation

_ATTENTION = "F.scaled_dot_product_attention"
_CELL = "m n, m 2, "

ROWS: tuple[Operation, ...] = (
    Operation(
        "attention_values",  # of another length
        f"{_ATTENTION}(a, b, c, is_causal=is_causal)",
        "m n k l, m n i l, m n i j",
        attributes={"is_causal": "FLAG"},
        ulps=16.0,
    ),
    Operation(
        "attention",
        f"{_ATTENTION}(a, b, c, is_causal=is_causal)",
        "m n k l, m n i l, m n i l",
        attributes={"is_causal": "FLAG"},
        ulps=16.0,
    ),
    Operation(
        "attention_scaled",
        f"{_ATTENTION}(a, b, c, scale=scale)",
        "m n k l, m n i l, m n i l",
        attributes={"scale": (1.0, 0.5, 2.0)},
        ulps=16.0,
    ),
    Operation(
        "attention_bias",
        f"{_ATTENTION}(a, b, c, d)",
        "m n k l, m n i l, m n i l, k i",
        ulps=16.0,
    ),
    Operation(
        "attention_mask",  # each query sees the first key
        f"{_ATTENTION}(a, b, c, torch.tensor(mask) | (torch.arange(a.shape[-1]) == 0))",
        "m n k l, m n l l, m n l i",
        attributes={"mask": "MASK"},
        ulps=16.0,
    ),
    Operation(
        "attention_groups",
        f"{_ATTENTION}(a, b, c, is_causal=is_causal, enable_gqa=True)",
        "m 4 k l, m 2 i l, m 2 i l",
        attributes={"is_causal": "FLAG"},
        ulps=16.0,
    ),
    Operation(
        "attention_without_heads",
        f"{_ATTENTION}(a, b, c, is_causal=is_causal)",
        "m k l, m i l, m i j",
        attributes={"is_causal": "FLAG"},
        ulps=16.0,
    ),
    Operation(
        "rnn_tanh_cell",
        "torch.rnn_tanh_cell(a, b, c, d, e, f)",
        f"{_CELL}2 n, 2 2, 2, 2",
        ulps=16.0,
    ),
    Operation(
        "rnn_relu_cell",
        "torch.rnn_relu_cell(a, b, c, d, e, f)",
        f"{_CELL}2 n, 2 2, 2, 2",
        kinks="0",
    ),
    Operation("gru_cell", "torch.gru_cell(a, b, c, d, e, f)", f"{_CELL}6 n, 6 2, 6, 6", ulps=16.0),
    Operation(
        "lstm_cell",
        "torch.lstm_cell(a, (b, c), d, e, f, g)",
        f"{_CELL}m 2, 8 n, 8 2, 8, 8",
        ulps=16.0,
    ),
)
