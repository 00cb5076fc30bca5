"""Arithmetic and parameters of models beyond classifiers: U-Nets for segmentation, and transformers and encoders of diffusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["diffusion_run_flop", "dit_mac_count", "dit_param_count", "unet_mac_count", "unet_param_count"]


def _unet_layers(
    input_px: int, channel_count: int, depth_count: int, input_channel_count: int, class_count: int, *, is_padded: bool
) -> list[tuple[int, int, int, int]]:
    """Return side of the output, channels in, channels out and side of the kernel of every layer, in order."""
    layers = []
    lost = 0 if is_padded else 2
    side, before = input_px, input_channel_count
    for level in range(depth_count + 1):
        width = channel_count * 2**level
        for channels in (before, width):
            side -= lost
            layers.append((side, channels, width, 3))
        before = width
        side = side // 2 if level < depth_count else side
    for level in reversed(range(depth_count)):
        width = channel_count * 2**level
        side *= 2
        layers.append((side, 2 * width, width, 2))
        for channels in (2 * width, width):
            side -= lost
            layers.append((side, channels, width, 3))
    return [*layers, (side, channel_count, class_count, 1)]


def unet_mac_count(
    input_px: int, channel_count: int = 64, depth_count: int = 4, input_channel_count: int = 1, class_count: int = 2,
    *, is_padded: bool = False,
) -> float:  # fmt: skip
    """Return the multiply-accumulates of one forward pass of a U-Net at a resolution.

    A transposed convolution of side 2 and stride 2 takes one multiply-accumulate per output and input channel.

    Source: Ronneberger, Fischer and Brox 2015 (arXiv 1505.04597), figure 1, its layers counted.

    Examples
    --------
    >>> round(unet_mac_count(572) / 1e9, 1)
    150.4
    >>> round(unet_mac_count(1024, is_padded=True) / unet_mac_count(512, is_padded=True), 6)
    4.0
    """
    layers = _unet_layers(input_px, channel_count, depth_count, input_channel_count, class_count, is_padded=is_padded)
    return float(sum(side**2 * here * there * (1 if kernel == 2 else kernel**2) for side, here, there, kernel in layers))


def unet_param_count(channel_count: int = 64, depth_count: int = 4, input_channel_count: int = 1, class_count: int = 2) -> float:
    """Return the parameters of a U-Net, weights and biases.

    Source: Ronneberger, Fischer and Brox 2015 (arXiv 1505.04597), figure 1, its layers counted.

    Examples
    --------
    >>> unet_param_count()
    31030658.0
    """
    layers = _unet_layers(2**10, channel_count, depth_count, input_channel_count, class_count, is_padded=True)
    return float(sum(there * (here * kernel**2 + 1) for _, here, there, kernel in layers))


@formula("count", "layers x (12 t d^2 + 2 t^2 d), t = (side of the latent / p)^2")
def dit_mac_count(latent_px: Draws, patch_px: Draws, width_count: Draws, layer_count: Draws) -> Any:
    """Multiply-accumulates of one forward pass of a diffusion transformer over a latent image, without its encoders.

    Source: Peebles and Xie 2023 (arXiv 2212.09748), its blocks counted; within 0.5 % of the published 118.6 G of DiT-XL/2.

    Examples
    --------
    >>> round(dit_mac_count(32.0, 2.0, 1152.0, 28.0) / 1e9, 1)
    118.4
    """
    tokens = (latent_px / patch_px) ** 2
    return layer_count * (12 * tokens * width_count**2 + 2 * tokens**2 * width_count)


@formula("count", "layers x 18 d^2")
def dit_param_count(width_count: Draws, layer_count: Draws) -> Any:
    """Parameters of a diffusion transformer: 12 d^2 of a block and 6 d^2 that condition it; embeddings are left out.

    Source: Peebles and Xie 2023 (arXiv 2212.09748), adaLN-Zero blocks; 675 M are published for DiT-XL/2.

    Examples
    --------
    >>> round(dit_param_count(1152.0, 28.0) / 1e6)
    669
    """
    return layer_count * 18 * width_count**2


@formula("flop", "samples x (6 x multiply-accumulates trained + 2 x multiply-accumulates of frozen encoders)")
def diffusion_run_flop(samples: Draws, forward_mac_count: Draws, frozen_mac_count: Draws) -> Any:
    """Operations of a run in which parts are run and not trained: encoders of images and text, unless their outputs are kept.

    Source: Kaplan et al. 2020 (arXiv 2001.08361): 2 operations per multiply-accumulate forward, twice as many backward; a
    frozen part has no backward pass.

    Examples
    --------
    >>> float(diffusion_run_flop(1.0, 100.0, 30.0))
    660.0
    """
    return samples * (6 * forward_mac_count + 2 * frozen_mac_count)
