"""Blocks of transformers whose tokens are a set: no position codes, and who sees whom as a mask."""

import keras

from maml.core.checks import check_whole
from maml.core.seeds import Part, initializer_seeds
from maml.nn.mlp import DenseLayers, through


class TransformerBlock(keras.layers.Layer):
    r"""Attention and a perceptron, each behind a layer normalization and beside a shortcut.

    Vaswani et al. 2017 (arXiv 1706.03762), with the normalization first (Xiong et al. 2020, arXiv
    2002.04745): :math:`h = x + \mathrm{attention}(n(x), n(c))` and :math:`h +
    \mathrm{perceptron}(n'(h))`, c the tokens that are attended to.

    Args:
        width: features of a token.
        heads: ways to attend, each in ``width / heads`` dimensions.
        feedforward: hidden units of the perceptron.
        dense: makes its layers.
        attention_seed: of the attention's initial weights.
        **kwargs: of ``keras.layers.Layer``.
    """

    def __init__(
        self, width: int, heads: int, feedforward: int, dense: DenseLayers, attention_seed, **kwargs
    ):
        super().__init__(**kwargs)
        self.attention_norm, self.perceptron_norm = (
            keras.layers.LayerNormalization(dtype=self.dtype_policy) for _ in range(2)
        )
        # The projections of keys and of queries start equal, so that a token first looks at what
        # resembles it. A bias of keys would change nothing.
        self.attention = keras.layers.MultiHeadAttention(
            heads,
            width // heads,
            use_bias=False,
            kernel_initializer=keras.initializers.GlorotUniform(attention_seed),
            dtype=self.dtype_policy,
        )
        self.perceptron = dense.perceptron((feedforward,), width)

    def call(self, x, context, seen=None):
        """Tokens after the block.

        Args:
            x: tokens [tasks, n, width].
            context: tokens that they attend to, [tasks, m, width]; ``x`` itself for self-attention.
            seen: which of them each may attend to, boolean, broadcasts with [tasks, n, m]; all if
                None.

        Returns:
            [tasks, n, width].
        """
        tokens, known = self.attention_norm(x), self.attention_norm(context)
        x += self.attention(tokens, known, attention_mask=seen)
        return x + through(self.perceptron, self.perceptron_norm(x))


def transformer(
    depth: int, width: int, heads: int, feedforward: int, seed: int, dtype
) -> tuple[list[TransformerBlock], DenseLayers]:
    """Blocks, and what makes further layers beside them with seeds of their own.

    Args:
        depth: number of blocks.
        width, heads, feedforward: of :class:`TransformerBlock`.
        seed: seed of the initial weights.
        dtype: Keras dtype policy.

    Raises:
        ValueError: a number is less than 1, or ``heads`` does not divide ``width``.
    """
    check_whole(1, depth=depth, width=width, heads=heads, feedforward=feedforward)
    if width % heads:
        raise ValueError(
            f"Invalid value for `width`: expected a multiple of the {heads} heads; received "
            f"{width}. Use {heads * max(width // heads, 1)}."
        )
    dense = DenseLayers(seed, Part.ENCODER_DECODER, dtype)
    seeds = initializer_seeds(seed, Part.ATTENTION)
    return [
        TransformerBlock(width, heads, feedforward, dense, next(seeds), dtype=dtype)
        for _ in range(depth)
    ], dense
