"""An initialisation that copies: an induction circuit written into the first two layers.

A randomly initialised model of this size spends its first 1.5M tokens on finding out how to copy.
Here a head of layer 0 attends to the previous token, and two heads of layer 1 attend to the token
that followed the earlier occurrence of the present one (Olsson et al. 2022, In-context Learning and
Induction Heads, https://transformer-circuits.pub/2022/in-context-learning-and-induction-heads).
Everything stays trainable.
"""

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from train.packed_llama import rotary_frequencies
from train.tokenizer import EOS_ID, INST_CLOSE_ID, INST_OPEN_ID

_CONTENT = 128  # dims of the residual stream that hold the token itself
_PREVIOUS = 64  # dims that hold a projection of the token before; the rest is free
_FAST_PAIRS = 4  # rotary pairs that tell neighbours apart
_CONTENT_STD = 0.06
_FREE_STD = 0.03


@torch.no_grad()
def write_induction_circuit(model: LlamaForCausalLM, seed: int) -> None:
    """Overwrite parts of the embedding and of layers 0 and 1: the model repeats its prompt."""
    config = model.config
    head_dim = config.hidden_size // config.num_attention_heads
    if head_dim != _PREVIOUS or config.hidden_size < _CONTENT + _PREVIOUS + 1:
        raise ValueError(
            f"the circuit needs heads of {_PREVIOUS} dims and hidden > {_CONTENT + _PREVIOUS}, "
            f"got {head_dim} and {config.hidden_size}"
        )
    generator = torch.Generator().manual_seed(seed)
    _write_embedding(model, generator)
    square = torch.randn(_CONTENT, _CONTENT, generator=generator)
    projection = torch.linalg.qr(square).Q[:_PREVIOUS]  # (previous, content), orthonormal rows
    _write_previous_token_head(model, projection, head_dim)
    for head in range(2):
        _write_induction_head(model, projection, head, head_dim)


def _write_embedding(model: LlamaForCausalLM, generator: torch.Generator) -> None:
    table = model.model.embed_tokens.weight
    hidden = table.shape[1]
    noise = torch.randn(table.shape, generator=generator)
    table[:, :_CONTENT] = _CONTENT_STD * noise[:, :_CONTENT]
    table[:, _CONTENT : _CONTENT + _PREVIOUS] = 0.0
    table[:, _CONTENT + _PREVIOUS :] = _FREE_STD * noise[:, _CONTENT + _PREVIOUS :]
    # the prompt's first token follows [INST], the completion's follows [/INST]; </s> ends where
    # [/INST] ended the prompt: for the circuit these three are one token
    for token in (INST_CLOSE_ID, EOS_ID):
        table[token, :_CONTENT] = table[INST_OPEN_ID, :_CONTENT]
    table[:, hidden - 1] = 0.186  # a constant, 4 after the norm: what the positional head reads


def _write_previous_token_head(model: LlamaForCausalLM, projection: Tensor, head_dim: int) -> None:
    attention = model.model.layers[0].self_attn
    half = head_dim // 2
    frequencies = rotary_frequencies(head_dim)
    size = 2.3  # times the constant, 4: score 8 / sqrt(head_dim) per pair and more
    for weight in (attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight):
        weight[:head_dim] = 0.0
    attention.o_proj.weight[:, :head_dim] = 0.0
    for pair in range(_FAST_PAIRS):
        angle = -frequencies[pair]  # turned back by one position: best match one step before
        attention.q_proj.weight[pair, -1] = size * torch.cos(angle)
        attention.q_proj.weight[pair + half, -1] = size * torch.sin(angle)
        attention.k_proj.weight[pair, -1] = size
    attention.v_proj.weight[:head_dim, :_CONTENT] = projection
    rows = torch.arange(head_dim)
    attention.o_proj.weight[_CONTENT + rows, rows] = 0.03


def _write_induction_head(
    model: LlamaForCausalLM, projection: Tensor, head: int, head_dim: int
) -> None:
    attention = model.model.layers[1].self_attn
    quarter = head_dim // 4
    start = head * head_dim
    heads = slice(start, start + head_dim)
    for weight in (attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight):
        weight[heads] = 0.0
    attention.o_proj.weight[:, heads] = 0.0
    # slow rotary pairs only, so that a match counts at any distance
    slow = torch.cat((torch.arange(quarter, 2 * quarter), torch.arange(3 * quarter, head_dim)))
    features = torch.arange(head * 2 * quarter, (head + 1) * 2 * quarter)
    attention.q_proj.weight[start + slow, :_CONTENT] = 2.2 * projection[features]
    attention.k_proj.weight[start + slow, _CONTENT + features] = 2.2
    rows = torch.arange(head_dim)
    attention.v_proj.weight[start + rows, start + rows] = 1.0
    attention.o_proj.weight[start + rows, start + rows] = 0.2
