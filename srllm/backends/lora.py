"""Several LoRA adapters and the base model in one forward pass.

peft loads the adapters and owns their weights. Its own mixed batches run each adapter over its rows
one after another; here the adapters of a layer stand side by side in one pair of matrices, and a
mask keeps for each row the columns of its own adapter: two products a layer, however many adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from srllm.errors import ModelUnavailableError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class SharedLora:
    """The adapters on one base model, chosen row by row."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model: Any = model  # Any: transformers types its methods in part
        self._peft: PeftModel | None = None
        self._names: list[str] = []
        self._masks: dict[tuple[tuple[int, float], ...], Tensor | None] = {}
        self._rows: list[int] = []  # numbers of adapters; their count stands for the base model

    def add(self, name: str, path: str, revision: str | None) -> None:
        """Load an adapter; errors are those of peft. Forward passes must not run meanwhile."""
        slot = f"adapter_{len(self._names)}"  # peft allows no full stop in its own names
        if self._peft is None:
            self._peft = PeftModel.from_pretrained(
                self._model, path, adapter_name=slot, revision=revision, is_trainable=False
            )
        else:
            self._peft.load_adapter(path, slot, revision=revision, is_trainable=False)
        self._model.eval()
        try:
            self._check(name, slot)
        except ModelUnavailableError:
            self._peft.delete_adapter(slot)
            raise
        self._names.append(name)
        self._rows = []
        for layer in self._layers():
            layer.forward = self._build_forward(layer)

    def select(self, adapters: Sequence[str | None]) -> None:
        """Say which adapter each row of the next forward pass uses; None is the base model."""
        rows = [len(self._names) if name is None else self._names.index(name) for name in adapters]
        if rows != self._rows:
            self._rows = rows
            self._masks.clear()

    def _layers(self) -> list[Any]:  # Any: peft's layers take forward() as an attribute
        return [module for module in self._model.modules() if isinstance(module, LoraLayer)]

    def _check(self, name: str, slot: str) -> None:
        """Refuse what is not plain LoRA on linear layers."""
        assert self._peft is not None
        layers = [x for x in self._layers() if slot in x.lora_A or slot in x.lora_embedding_A]
        saved = getattr(self._peft.peft_config[slot], "modules_to_save", None)
        if not layers or saved or not all(_is_plain(layer, slot) for layer in layers):
            raise ModelUnavailableError(
                f"The adapter {name!r} is not plain LoRA on linear layers (DoRA, embeddings, bias "
                "or saved modules), so it can not share a batch. Merge it into the base model and "
                "name the result as 'model'."
            )

    def _build_forward(self, layer: Any) -> Callable[[Tensor], Tensor]:  # Any: a peft layer
        """The layer's forward pass over rows with different adapters."""
        down: list[Tensor] = []
        up: list[Tensor] = []
        columns: list[tuple[int, float]] = []  # of each column: its adapter and its scale
        for number in range(len(self._names)):
            slot = f"adapter_{number}"
            if slot in layer.lora_A:
                down.append(layer.lora_A[slot].weight)
                up.append(layer.lora_B[slot].weight)
                columns += [(number, float(layer.scaling[slot]))] * down[-1].shape[0]
        base, key = layer.base_layer, tuple(columns)
        if not down:
            return lambda x: base(x)
        all_down = torch.cat(down, dim=0).t().contiguous()  # (in, columns)
        all_up = torch.cat(up, dim=1).t().contiguous()  # (columns, out)

        def forward(x: Tensor) -> Tensor:
            result: Tensor = base(x)
            mask = self._mask(key, all_down)
            if mask is None:
                return result
            update = (x.to(all_down.dtype) @ all_down).mul_(mask) @ all_up
            return result + update.to(result.dtype)

        return forward

    def _mask(self, columns: tuple[tuple[int, float], ...], like: Tensor) -> Tensor | None:
        """(batch, 1, columns): the scale where a column belongs to the row's adapter, else 0."""
        if columns not in self._masks:
            n_adapters = len(self._names)
            mask = None
            if any(row < n_adapters for row in self._rows):
                owners, scales = zip(*columns, strict=True)
                rows = torch.tensor(self._rows, device=like.device)
                is_own = rows[:, None] == torch.tensor(owners, device=like.device)
                mask = (is_own * torch.tensor(scales, device=like.device)).to(like.dtype)[:, None]
            self._masks[columns] = mask
        return self._masks[columns]


def _is_plain(layer: Any, slot: str) -> bool:  # Any: a peft layer
    return (
        slot in layer.lora_A
        and isinstance(layer.lora_A[slot], nn.Linear)
        and slot not in layer.lora_variant
        and not layer.lora_bias.get(slot)
        and not layer.fan_in_fan_out
    )
