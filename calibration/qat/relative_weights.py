"""An optimizer that sees weights relative to the scale of their row.

Equalisation leaves some rows hundreds of times smaller than others. Relative weights change by the
same share of their row in a step, whatever its scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.export.model import RecursiveModel


class RelativeOptimizer:
    """AdamW on weights divided by the root mean square of their row.

    Args:
        model: the model to train; its weights are overwritten in each step.
        recipe: weight decay and largest norm of the gradient.
    """

    def __init__(self, model: RecursiveModel, recipe: FinetuneRecipe) -> None:
        self._recipe = recipe
        self._weights = list(model.parameters())
        self._scales = [_row_scales(weight.detach()) for weight in self._weights]
        self._relative = []
        for weight, scale in zip(self._weights, self._scales, strict=True):
            self._relative.append(nn.Parameter(weight.detach() / scale))
        self._write_weights()
        self._optimizer = self._new_optimizer(model)

    def _new_optimizer(self, model: RecursiveModel) -> torch.optim.Optimizer:
        network: set[int] = set()
        for blocks in model.networks.values():
            network.update(id(weight) for weight in blocks.parameters())
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for weight, relative in zip(self._weights, self._relative, strict=True):
            if id(weight) in network:
                matrices.append(relative)
            else:
                others.append(relative)
        groups = [
            {"params": matrices, "weight_decay": self._recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, betas=(0.9, 0.95))

    @torch.no_grad()
    def clip_gradient(self) -> float:
        """Take the gradient from the weights and limit its norm.

        Returns:
            The norm before; it may be not finite.
        """
        for weight, scale, relative in zip(
            self._weights, self._scales, self._relative, strict=True
        ):
            relative.grad = None
            if weight.grad is not None:
                relative.grad = weight.grad * scale
            weight.grad = None
        return float(nn.utils.clip_grad_norm_(self._relative, self._recipe.clip))

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change the weights by the gradient that :meth:`clip_gradient` took.

        Args:
            rate: the learning rate.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._write_weights()

    @torch.no_grad()
    def _write_weights(self) -> None:
        for weight, scale, relative in zip(
            self._weights, self._scales, self._relative, strict=True
        ):
            weight.copy_(relative * scale)

    def state(self) -> tuple[list[Tensor], dict[str, Any]]:
        """The relative weights and the optimizer's own state, for :meth:`restore`."""
        relative = [parameter.detach() for parameter in self._relative]
        return relative, self._optimizer.state_dict()

    @torch.no_grad()
    def restore(self, relative: Sequence[Tensor], optimizer: Mapping[str, Any]) -> None:
        """Continue from a state.

        Args:
            relative: the relative weights.
            optimizer: the optimizer's own state.
        """
        for parameter, value in zip(self._relative, relative, strict=True):
            parameter.copy_(value)
        self._write_weights()
        self._optimizer.load_state_dict(dict(optimizer))


def _row_scales(weight: Tensor) -> Tensor:
    """Root mean square of each row (out, 1) of a matrix; 1 for rows of zeros and for vectors."""
    if weight.ndim < 2:
        return torch.ones_like(weight)
    power = weight.square().mean(1, keepdim=True)
    return torch.where(power > 0, power, torch.ones_like(power)).sqrt()
