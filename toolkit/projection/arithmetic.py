"""Arithmetic and parameters of models from their shapes: vision transformers, text towers, residual networks, decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "decoder_param_count", "iteration_flop", "resnet_mac_count", "text_mac_count", "training_mac_count", "vit_mac_count",
    "vit_param_count",
]  # fmt: skip


_VITS: Final = "six vision transformers from S/16 to g/14 at 224 pixels"


@formula(
    "count",
    "layers x (t (4 + 2 r) d^2 + 2 t^2 d) + patches x 3 p^2 d + d x classes, t = (side / p)^2 + 1",
    valid={"input_px": (224, 224, _VITS), "patch_px": (14, 32, _VITS), "width_count": (384, 1408, _VITS)},
)
def vit_mac_count(
    input_px: Draws,
    patch_px: Draws,
    width_count: Draws,
    layer_count: Draws,
    mlp_factor: Draws | float = 4.0,
    class_count: Draws | float = 1000.0,
) -> Any:
    """Multiply-accumulates of one forward pass of a vision transformer with dense attention.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), its layers counted; within 0.3 % of timm's figures for five models.

    Examples
    --------
    >>> round(vit_mac_count(224.0, 16.0, 768.0, 12.0) / 1e9, 2)
    17.56
    """
    patches = (input_px / patch_px) ** 2
    tokens = patches + 1
    layer = tokens * (4 + 2 * mlp_factor) * width_count**2 + 2 * tokens**2 * width_count
    return layer_count * layer + patches * 3 * patch_px**2 * width_count + width_count * class_count


@formula(
    "count",
    "layers x (t (4 + 2 r) d^2 + 2 t^2 d)",
    valid={"token_count": (77, 77, "three text towers of CLIP"), "width_count": (512, 1024, "three text towers of CLIP")},
)
def text_mac_count(token_count: Draws, width_count: Draws, layer_count: Draws, mlp_factor: Draws | float = 4.0) -> Any:
    """Multiply-accumulates of one forward pass of a text tower.

    Source: Radford et al. 2021 (arXiv 2103.00020), its layers counted; open_clip's model profile.

    Examples
    --------
    >>> round(text_mac_count(77.0, 512.0, 12.0) / 1e9, 2)
    2.98
    """
    layer = token_count * (4 + 2 * mlp_factor) * width_count**2 + 2 * token_count**2 * width_count
    return layer_count * layer


def resnet_mac_count(input_px: float, stage_block_counts: tuple[int, ...] = (3, 4, 6, 3), class_count: int = 1000) -> float:
    """Return the multiply-accumulates of one forward pass of a residual network of bottleneck blocks, at a resolution.

    Source: He et al. 2016 (arXiv 1512.03385), its convolutions counted, the stride in the 3 x 3 convolution (v1.5).

    Examples
    --------
    >>> round(resnet_mac_count(224) / 1e9, 2)
    4.09
    """
    side = -(-input_px // 2)
    total, channels = side**2 * 64 * 3 * 49, 64
    side = -(-side // 2)
    for stage, blocks in enumerate(stage_block_counts):
        width = 64 * 2**stage
        for block in range(blocks):
            before, side = side, -(-side // 2) if stage and not block else side
            total += before**2 * channels * width + side**2 * (9 * width**2 + 4 * width**2)
            total += 0 if block else side**2 * channels * 4 * width
            channels = 4 * width
    return float(total + channels * class_count)


@formula("count", "samples x forward multiply-accumulates")
def training_mac_count(samples: Draws, forward_mac_count: Draws) -> Any:
    """Forward multiply-accumulates over a training run: the unit that data-scaling papers state.

    Source: Gadre et al. 2023 (DataComp, arXiv 2304.14108), table of scales; the operations of training are 6 times as many.

    Examples
    --------
    >>> f"{training_mac_count(12.8e6, 7.39e9):.3g}"
    '9.46e+16'
    """
    return samples * forward_mac_count


@formula(
    "count",
    "layers x ((4 + 2 r) d^2 + (9 + r) d) + embeddings + head",
    valid={"input_px": (224, 224, _VITS), "patch_px": (14, 32, _VITS), "width_count": (384, 1408, _VITS)},
)
def vit_param_count(
    input_px: Draws,
    patch_px: Draws,
    width_count: Draws,
    layer_count: Draws,
    mlp_factor: Draws | float = 4.0,
    class_count: Draws | float = 1000.0,
) -> Any:
    """Parameters of a vision transformer.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929), its weights and biases counted.

    Examples
    --------
    >>> vit_param_count(224.0, 16.0, 768.0, 12.0)
    86567656.0
    """
    tokens = (input_px / patch_px) ** 2 + 1
    layers = layer_count * ((4 + 2 * mlp_factor) * width_count**2 + (9 + mlp_factor) * width_count)
    embeddings = 3 * patch_px**2 * width_count + width_count + width_count + tokens * width_count
    return layers + embeddings + 2 * width_count + (width_count + 1) * class_count


@formula("count", "layers x (2 d^2 + 2 d k + 3 d f + 2 d) + 2 x vocabulary x d + d")
def decoder_param_count(
    width_count: Draws, layer_count: Draws, feedforward_count: Draws, key_value_count: Draws, vocabulary_count: Draws
) -> Any:
    """Parameters of a decoder with gated feed-forward layers, grouped queries and separate embeddings in and out.

    Source: Llama 3 (arXiv 2407.21783), its weights counted; ``key_value_count`` is key heads x size of a head.

    Examples
    --------
    >>> round(decoder_param_count(4096.0, 32.0, 14336.0, 1024.0, 128256.0) / 1e9, 2)
    8.03
    """
    attention = 2 * width_count**2 + 2 * width_count * key_value_count
    layer = attention + 3 * width_count * feedforward_count + 2 * width_count
    return layer_count * layer + 2 * vocabulary_count * width_count + width_count


@formula("flop", "72 B s L h^2 (1 + s / 6h + V / 12 L h)")
def iteration_flop(
    batch_count: Draws, token_count: Draws, layer_count: Draws, width_count: Draws, vocabulary_count: Draws
) -> Any:
    """Operations of one training step of a decoder, attention and output layer included, without recomputation.

    Source: Narayanan et al. 2021 (arXiv 2104.04473), appendix, less the recomputed forward pass.

    Examples
    --------
    >>> f"{iteration_flop(64.0, 2048.0, 96.0, 12288.0, 51200.0):.3g}"
    '1.41e+17'
    """
    extra = 1 + token_count / (6 * width_count) + vocabulary_count / (12 * layer_count * width_count)
    return 72 * batch_count * token_count * layer_count * width_count**2 * extra
