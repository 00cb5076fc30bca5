"""Published figures that the formulas must give again from their published inputs, each within its stated tolerance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from toolkit.projection import economics, inference, queueing, storage, training
from toolkit.projection.hardware_facts import models
from toolkit.projection.scenario import Protection

GIB = 2**30
MODELS = models()


def state_gib(layers: int, width: int, devices: int) -> float:
    return float(training.checkpoint_size(12 * layers * width**2, 18)) / devices / GIB


def run_days(params: float, tokens: float, devices: int, flop_per_s: float) -> float:
    """8 operations per parameter and token: with full recomputation of activations."""
    return float(training.run_flop(tokens, params)) * 8 / 6 / devices / flop_per_s / 86_400


CASES: list[tuple[str, Callable[[], float], float, float, str]] = [
    # dataset and ingest
    ("ImageNet, bytes", lambda: 1_281_167 * 114_660.07, 147_897_477_120, 0.01, "mlcommons/storage@caa90c9; file size"),
    ("LAION-400M, days of ingest", lambda: 413e6 / 1300 / 86_400, 3.5, 0.08, "img2dataset@95523bc, laion400m.md"),
    ("LAION-5B, days of ingest on 10 nodes", lambda: 5.85e9 / 9500 / 86_400, 7.0, 0.05, "img2dataset@95523bc, laion5B.md"),
    # compute
    ("OpenAI CLIP, operations", lambda: float(training.run_flop(12.8e9, MODELS["clip_vit_l14"].forward_macs)), 6.74e21, 0.005, "arXiv 2103.00020"),
    ("GPT-3, 6ND", lambda: float(training.run_flop(300e9, 175e9)), 3.14e23, 0.03, "arXiv 2005.14165"),
    ("Llama 3 405B, 6ND", lambda: float(training.run_flop(15.6e12, 405e9)), 3.8e25, 0.03, "arXiv 2407.21783"),
    ("Chinchilla, 6ND", lambda: float(training.run_flop(1.4e12, 70e9)), 5.76e23, 0.03, "arXiv 2203.15556"),
    ("Megatron 175B, days", lambda: run_days(175e9, 300e9, 1024, 140e12), 34, 0.02, "arXiv 2104.04473"),
    ("Megatron 1T, days", lambda: run_days(1e12, 450e9, 3072, 163e12), 84, 0.02, "arXiv 2104.04473"),
    ("ResNet-50 on 8 H100, minutes", lambda: 35 * 1_281_167 / 56_018 / 60, 13.556, 0.08, "MLPerf Training v3.0"),
    ("ViT-B/16, GMACs", lambda: MODELS["vit_b16"].forward_macs / 1e9, 17.58, 0.005, "timm@aa4b585"),
    ("ViT-L/16, parameters", lambda: MODELS["vit_l16"].params / 1e6, 304.33, 0.005, "timm@aa4b585"),
    # memory and checkpoints
    ("training state of 22B, GiB", lambda: state_gib(48, 6144, 8), 45.5625, 0.005, "calculon@caa4b11, arXiv 2205.05198"),
    ("training state of 530B, GiB", lambda: state_gib(105, 20480, 280), 31.641, 0.005, "calculon@caa4b11, arXiv 2205.05198"),
    ("training state of 1T, GiB", lambda: state_gib(128, 25600, 512), 32.959, 0.005, "calculon@caa4b11, arXiv 2205.05198"),
    ("Llama 3 8B checkpoint, GiB", lambda: float(training.checkpoint_size(8.030e9, 14)) / GIB, 105, 0.005, "mlcommons/storage@caa90c9, table 2"),
    ("Llama 3 405B checkpoint, GiB", lambda: float(training.checkpoint_size(405.85e9, 14)) / GIB, 5290, 0.005, "mlcommons/storage@caa90c9, table 2"),
    # storage
    *[
        (f"erasure code {data}+{parity}", lambda d=data, p=parity: Protection(data=d, parity=p).factor, ratio, 0.01, "minio@7aac2a2, storage-class")
        for data, parity, ratio in ((8, 8, 2.0), (9, 7, 1.79), (10, 6, 1.6), (11, 5, 1.45), (12, 4, 1.34), (13, 3, 1.23), (14, 2, 1.14))
    ],
    ("100 TB at 80 % use, TB to buy", lambda: 100 + float(storage.headroom(np.array(100.0), np.array(0.0), np.array(0.2))), 125, 1e-9, "stas00/ml-engineering@744d01e"),
    # demand of accelerators, from a batch and the time it takes
    ("3D U-Net on H100, GiB/s", lambda: 146_600_628 * 7 / 0.323 / GIB, 2.96, 0.005, "mlcommons/storage@caa90c9"),
    ("ResNet-50 on H100, MB/s", lambda: 114_660 * 400 / 0.224 / 1e6, 204.8, 0.005, "mlcommons/storage@caa90c9"),
    # serving: capacity of a device under 15 ms at the 99th percentile, from single latency and offline rate
    ("L4, ResNet-50 server, queries/s", lambda: inference.capacity_at(0.015, 0.356e-3, 13_158, 256), 12_199, 0.15, "MLPerf Inference v3.0"),
    ("T4, ResNet-50 server, queries/s", lambda: inference.capacity_at(0.015, 0.812e-3, 6_121, 256), 4_652, 0.15, "MLPerf Inference v2.1"),
    ("A100, ResNet-50 server, queries/s", lambda: inference.capacity_at(0.015, 0.455e-3, 42_379, 256), 37_504, 0.15, "MLPerf Inference v3.0"),
    # queues
    ("Erlang C (2, 1.6)", lambda: queueing.erlang_c(2, 1.6), 0.7111, 0.001, "analytic"),
    ("Erlang C (8, 6)", lambda: queueing.erlang_c(8, 6), 0.3570, 0.001, "analytic"),
    ("Erlang C (10, 8)", lambda: queueing.erlang_c(10, 8), 0.4092, 0.001, "analytic"),
    ("M/D/1 at 0.9", lambda: float(queueing.md1_wait(np.array(0.9), np.array(1.0))), 4.5, 0.001, "analytic"),
    # energy and cost
    ("Llama 2 7B, t CO2", lambda: economics.carbon_mass_kg(184_320 * 400 * 3600, 0.4234) / 1000, 31.22, 0.01, "meta-llama/llama-models@a9c89c4"),
    ("Llama 2 70B, t CO2", lambda: economics.carbon_mass_kg(1_720_320 * 400 * 3600, 0.4234) / 1000, 291.42, 0.02, "meta-llama/llama-models@a9c89c4"),
    ("egress of 57 TB, USD", lambda: economics.tiered_cost(57_000, [(10_240, 0.09), (40_960, 0.085), (102_400, 0.07)]), 4809.20, 1e-6, "infracost@95ba4f49"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "ours", "published", "tolerance", "source"), CASES, ids=[case[0] for case in CASES])
def test_a_published_figure_is_given_again(
    name: str, ours: Callable[[], float], published: float, tolerance: float, source: str
) -> None:
    assert source
    assert ours() == pytest.approx(published, rel=tolerance), name
