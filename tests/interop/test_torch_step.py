"""A training step of PyTorch, measured: parameters change, gradients are taken, and a larger batch takes longer."""

from __future__ import annotations

from collections.abc import Callable

import torch

import toolkit


def training_step(batch_size: int) -> tuple[torch.nn.Module, Callable[[], None]]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(16, 4)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    images, labels = torch.rand(batch_size, 3, 64, 64), torch.randint(0, 4, (batch_size,))

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return model, step


def test_a_training_step_of_pytorch_is_measured() -> None:
    model, step = training_step(16)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    found = toolkit.measure_step(step, 16, target_s=1.0)
    assert any(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    small = found.find("step.training", percentile="p50")
    large = toolkit.measure_step(training_step(128)[1], 128, target_s=1.0).find("step.training", percentile="p50")
    assert small is not None
    assert large is not None
    assert large.median > 3 * small.median
    assert small.conditions["device"] == "cpu"
