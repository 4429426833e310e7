"""ONNX's attention (sets 23 to 25) and rotary embedding in torch: grouped heads, caches, masks, windows, soft caps."""
# ruff: noqa: N802

from __future__ import annotations

import math

import torch

from seatrial.parts.conversions._op_base import DTYPES


def Attention(q, k, v, mask=None, past_key=None, past_value=None, lengths=None, is_causal=0, kv_num_heads=0, q_num_heads=0, qk_matmul_output_mode=0, scale=None, softcap=0.0, softmax_precision=0, left_window_size=-1, right_window_size=-1, outputs=1):  # fmt: skip
    """softmax(cap(q k') + bias) v; a row that may look at nothing answers 0. `lengths` are those of a cache that is given whole."""
    flat = q.ndim == 3
    q, k, v = (by_head(x, count) for x, count in ((q, q_num_heads), (k, kv_num_heads), (v, kv_num_heads)))
    k, v = (x if past is None else torch.cat([past, x], 2) for x, past in ((k, past_key), (v, past_value)))
    present = (k, v)
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    half = math.sqrt(1 / math.sqrt(q.shape[3]) if scale is None else scale)
    scores = (q * half) @ (k * half).mT
    told = [scores]
    scores = softcap * torch.tanh(scores / softcap) if softcap > 0 else scores
    bias = what_is_seen(q, k, mask, past_key, lengths, is_causal, left_window_size, right_window_size)
    told += [scores, scores if bias is None else scores + bias]
    wide = told[2].to(DTYPES[softmax_precision]) if softmax_precision else told[2]
    shares = shared_out(wide, bias).to(q.dtype)
    told.append(shares)
    answer = shares @ v
    answer = answer.transpose(1, 2).flatten(2) if flat else answer
    return answer if outputs == 1 else (answer, *present, told[qk_matmul_output_mode].to(q.dtype))[:outputs]


def by_head(x, count):
    """Rows x heads x places x numbers; heads lie side by side in the last axis where there are three."""
    return x if x.ndim == 4 else x.reshape(x.shape[0], x.shape[1], count, -1).transpose(1, 2)


def shared_out(scores, bias):
    """Softmax along the last axis, 0 where a row may look at nothing."""
    if bias is None:
        return torch.softmax(scores, -1)
    nothing = torch.isneginf(bias.amax(-1, keepdim=True))
    return torch.softmax(scores.masked_fill(nothing, 0.0), -1).masked_fill(nothing, 0.0)


def what_is_seen(q, k, mask, past, lengths, causal, left, right):
    """What is added to the scores: 0 or the mask's own number where a place may be looked at, minus infinity elsewhere; None for no bounds."""
    rows, places = q.shape[2], k.shape[2]
    bias = None
    if mask is not None:
        bias = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else mask
        bias = torch.nn.functional.pad(bias, (0, places - bias.shape[-1]), value=-math.inf)
    at, to = (torch.arange(size, device=q.device) for size in (rows, places))
    first = past.shape[2] if past is not None else 0
    if lengths is not None:
        first = (lengths.reshape(-1, 1, 1, 1) - rows) if past is None else first
        bias = barred(bias, to < lengths.reshape(-1, 1, 1, 1), q)
    ahead = to - (at[:, None] + first)
    if causal:
        bias = barred(bias, ahead <= 0, q)
    if left >= 0:
        bias = barred(bias, ahead >= -left, q)
    return barred(bias, ahead <= right, q) if right >= 0 else bias


def barred(bias, seen, like):
    """The same, and minus infinity where nothing is to be seen."""
    wall = torch.zeros(seen.shape, dtype=like.dtype, device=like.device).masked_fill(~seen, -math.inf)
    return wall if bias is None else bias + wall


def RotaryEmbedding(x, cos, sin, places=None, interleaved=0, num_heads=0, rotary_embedding_dim=0):
    """Pairs of numbers turned by the angle of their place."""
    flat = x.ndim == 3
    heads = by_head(x, num_heads)
    width = rotary_embedding_dim or heads.shape[3]
    cos, sin = (one if places is None else one[places.long()] for one in (cos, sin))
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    turned, rest = heads[..., :width], heads[..., width:]
    a, b = (turned[..., 0::2], turned[..., 1::2]) if interleaved else turned.chunk(2, -1)
    pair = (cos * a - sin * b, sin * a + cos * b)
    made = torch.stack(pair, -1).flatten(-2) if interleaved else torch.cat(pair, -1)
    made = torch.cat([made, rest], -1)
    return made.transpose(1, 2).flatten(2) if flat else made
