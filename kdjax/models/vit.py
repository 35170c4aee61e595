"""Vision transformers: ViT-Tiny and ViT-Small with patches of 16 x 16 pixels.

Dosovitskiy et al., arXiv:2010.11929, section 3.1; the sizes are those of Touvron et al.,
arXiv:2012.12877, table 1. In timm's form: exact GELU, LayerNorm's epsilon 1e-6, a class token.
Position embeddings are learned for the image size that a network is initialised with.

At 224 x 224 pixels and 1000 classes `vit_tiny` has 5,717,416 trainable parameters and `vit_small`
22,050,664; without a head 5,524,416 and 21,665,664.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn

from kdjax.models.layers.modules import Conv, classifier
from kdjax.step.types import Array
from kdjax.system.errors import UserError

_init = nn.initializers.truncated_normal(0.02)
_norm = partial(nn.LayerNorm, epsilon=1e-6, use_fast_variance=False)


class Block(nn.Module):
    """Self-attention, then two dense layers, each behind LayerNorm and added to its input."""

    heads: int
    expand: int = 4

    @nn.compact
    def __call__(self, x: Array) -> Array:
        batch, tokens, width = x.shape
        y = _norm(name="attention_norm")(x)
        y = nn.Dense(3 * width, kernel_init=_init, name="qkv")(y)
        query, key, value = jnp.moveaxis(y.reshape(batch, tokens, 3, self.heads, -1), 2, 0)
        y = nn.dot_product_attention(query, key, value, force_fp32_for_softmax=True)
        y = y.reshape(batch, tokens, width)
        x = x + nn.Dense(width, kernel_init=_init, name="attention_out")(y)
        y = _norm(name="mlp_norm")(x)
        y = nn.Dense(self.expand * width, kernel_init=_init, name="mlp_in")(y)
        y = jax.nn.gelu(y, approximate=False)
        return x + nn.Dense(width, kernel_init=_init, name="mlp_out")(y)


class ViT(nn.Module):
    """Patches as tokens, stages of blocks, and a dense layer on the class token.

    Features: `stem`, the patches with their positions, and `stageN_first` and `stageN_last`, the
    patch tokens after a stage's first and last block, all as maps `[b, h / 16, w / 16, c]` without
    an activation; `pooled`, the class token `[b, c]` after the last LayerNorm.

    Raises:
        UserError: the image's height or width is no multiple of the patch.
    """

    classes: int
    width: int
    heads: int
    blocks: tuple[int, ...] = (3, 3, 3, 3)
    """The number of blocks in each stage. Stages only name features: all have the same shape."""
    patch: int = 16
    dropout: float = 0.0
    remat: bool = False

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> tuple[Array, dict[str, Array]]:
        def run(block: Block, x: Array) -> Array:
            return block(x)

        run = nn.remat(run) if self.remat else run
        batch, height, width, _ = x.shape
        if height % self.patch or width % self.patch:
            raise UserError(
                f"a vision transformer with patches of {self.patch} pixels cannot read images of "
                f"{height}x{width}: set a size that is a multiple of {self.patch}"
            )
        side = (self.patch, self.patch)
        x = Conv(self.width, side, side, padding="VALID", kernel_init=_init, name="patches")(x)
        _, rows, columns, _ = x.shape
        token = self.param("class_token", nn.initializers.normal(1e-6), (1, 1, self.width))
        first = jnp.broadcast_to(token, (batch, 1, self.width)).astype(x.dtype)
        x = jnp.concatenate([first, x.reshape(batch, -1, self.width)], axis=1)
        position = self.param("position", _init, (1, x.shape[1], self.width))
        x = x + position.astype(x.dtype)

        def as_map(x: Array) -> Array:
            return x[:, -rows * columns :].reshape(batch, rows, columns, self.width)

        features = {"stem": as_map(x)}
        count = 0
        for stage, blocks in enumerate(self.blocks, start=1):
            for index in range(blocks):
                x = run(Block(self.heads, name=f"block{count}"), x)
                count += 1
                if index == 0:
                    features[f"stage{stage}_first"] = as_map(x)
            features[f"stage{stage}_last"] = as_map(x)
        features["pooled"] = x = _norm(name="norm")(x)[:, 0]
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return classifier(x, self.classes, name="head"), features


vit_tiny = partial(ViT, width=192, heads=3)
vit_small = partial(ViT, width=384, heads=6)
