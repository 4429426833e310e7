"""Trees in a skops file: every index must lead to a node, a feature or a set of categories that is there.

scikit-learn follows the indices of a stored tree unchecked, so a planted one could read outside of memory or go round for ever.
Children lie behind their parent in every tree that scikit-learn grows, which is what is asked for here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from seatrial.contracts.trusted import TREE, TREE_PREDICTOR
from seatrial.errors import ModelError
from seatrial.parts.subjects._skops import Archive, Node, attributes

_LEAF = -1


def check_trees(archive: Archive) -> None:
    """Raises `ModelError` for a tree whose indices lead out of it, or back."""
    for node, features in _trees(archive, archive.root, None):
        sound = _tree if _type(node) == TREE else _predictor
        try:
            if features is None or not sound(archive, node, features):
                raise ValueError
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelError(
                f"{archive.path} holds a tree whose indices lead out of it; nothing of it was loaded",
                next_step="copy the file again from where it was made; if that doesn't help, don't trust its source",
            ) from error


def _trees(archive: Archive, value: Any, features: int | None) -> Iterator[tuple[Node, int | None]]:
    """Each tree with the smallest number of features that an estimator around it takes."""
    if isinstance(value, dict):
        if value.get("__loader__") == "ObjectNode" and "n_features_in_" in (inner := attributes(value)):
            own = archive.value(inner["n_features_in_"])
            features = min(one for one in (own, features) if isinstance(one, int)) if isinstance(own, int) else features
        if _type(value) in (TREE, TREE_PREDICTOR) and value.get("__loader__") in ("TreeNode", "ObjectNode"):
            yield value, features
        for one in value.values():
            yield from _trees(archive, one, features)
    elif isinstance(value, list):
        for one in value:
            yield from _trees(archive, one, features)


def _type(node: Node) -> str:
    return f"{node.get('__module__')}.{node.get('__class__')}"


def _tree(archive: Archive, node: Node, features: int) -> bool:
    inner = attributes(node)
    nodes, values = archive.array(inner["nodes"]), archive.array(inner["values"])
    left, right = nodes["left_child"], nodes["right_child"]
    leaf = left == _LEAF
    stated, outputs = archive.value(node["__reduce__"]["args"])[0::2]
    return (
        nodes.ndim == 1
        and 0 < len(nodes) == archive.value(inner["node_count"]) == len(values)
        and bool((right[leaf] == _LEAF).all())
        and _forward(left, right, ~leaf)
        and _within(nodes["feature"][~leaf], min(features, stated))
        and values.ndim == 3
        and values.shape[1] == outputs
    )


def _predictor(archive: Archive, node: Node, features: int) -> bool:
    inner = attributes(node)
    nodes, sets = archive.array(inner["nodes"]), archive.array(inner["raw_left_cat_bitsets"])
    inside = nodes["is_leaf"] == 0
    by_category = inside & (nodes["is_categorical"] != 0)
    return (
        nodes.ndim == 1
        and len(nodes) > 0
        and _forward(nodes["left"], nodes["right"], inside)
        and _within(nodes["feature_idx"][inside], features)
        and sets.ndim == 2
        and sets.shape[1] == 8
        and _within(nodes["bitset_idx"][by_category], len(sets))
    )


def _forward(left: Any, right: Any, inside: Any) -> bool:
    """Whether both children of each inner node lie behind it and in the tree."""
    places = np.arange(len(left))[inside]
    return all(
        bool((side[inside].astype(np.int64) > places).all()) and _within(side[inside], len(left))
        for side in (left, right)
    )


def _within(indices: Any, count: int) -> bool:
    return bool((indices >= 0).all() and (indices < count).all())
