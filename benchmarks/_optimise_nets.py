"""The two networks that `optimise.py` makes faster, and the students that learn from the one of Fashion-MNIST."""

import math

import torch
from torch import nn


class Block(nn.Module):
    """Two convolutions with a way past them (He et al. 2016)."""

    def __init__(self, given: int, made: int, stride: int = 1) -> None:
        super().__init__()
        self.one = nn.Conv2d(given, made, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(made)
        self.other = nn.Conv2d(made, made, 3, 1, 1, bias=False)
        self.last = nn.BatchNorm2d(made)
        past = stride > 1 or given != made
        self.past = (
            nn.Sequential(nn.Conv2d(given, made, 1, stride, bias=False), nn.BatchNorm2d(made))
            if past
            else nn.Identity()
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.norm(self.one(images)))
        return torch.relu(self.last(self.other(inner)) + self.past(images))


def cnn() -> nn.Module:
    """2.8 M parameters; logits [N, 10] from images [N, 3, 64, 64]."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        Block(64, 64),
        Block(64, 128, 2),
        Block(128, 128),
        Block(128, 256, 2),
        Block(256, 256),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(256, 10),
    )


class Layer(nn.Module):
    """Self-attention and two products, normalised before (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.all, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        rows, places, width = values.shape
        parts = self.all(self.before(values)).reshape(rows, places, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(query @ key.transpose(-2, -1) / math.sqrt(width // self.heads), dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(rows, places, width)
        values = values + self.out(mixed)
        return values + self.down(nn.functional.gelu(self.up(self.after(values))))


class Encoder(nn.Module):
    """3.2 M parameters; logits [N, 8] from 64 words of 64, by their numbers [N, 64]."""

    def __init__(self, width: int = 256, layers: int = 4, heads: int = 4, words: int = 64, places: int = 64) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.places = nn.Parameter(0.02 * torch.randn(1, places, width))
        self.layers = nn.Sequential(*(Layer(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 8)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.layers(self.words(tokens) + self.places)).mean(dim=1))


def transformer() -> nn.Module:
    """The encoder."""
    return Encoder()


def apprentice() -> nn.Module:
    """A student for the encoder: half as wide, half as deep, a ninth of the work."""
    return Encoder(128, 2)


def small(width: int = 16) -> nn.Module:
    """A student for Fashion-MNIST: logits [N, 10] from images [N, 1, 28, 28]; every convolution after a halving."""

    def step(given: int, made: int) -> list[nn.Module]:
        return [nn.Conv2d(given, made, 3, padding=1, bias=False), nn.BatchNorm2d(made), nn.ReLU()]

    return nn.Sequential(
        *step(1, width),
        nn.MaxPool2d(2),
        *step(width, 2 * width),
        nn.MaxPool2d(2),
        *step(2 * width, 4 * width),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, 10),
    )
