"""Roles of rows: given, named by a column, or drawn by a keyed hash of the row's group."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from seatrial import catalog
from seatrial.contracts.rows import Role
from seatrial.contracts.shown import shown as seen
from seatrial.contracts.study import Data, Roles
from seatrial.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from seatrial.contracts.values import Array


def offers(roles: Roles, role: Role) -> bool:
    """Whether rows with these roles may have that role: a column may name any."""
    return roles.all is role or roles.column is not None or (roles.draw or {}).get(role, 0) > 0


def role_indices(small: Mapping[str, Array], data: Data, wanted: Sequence[Role], name: str) -> NDArray[np.int64]:
    """The numbers of the rows that have a wanted role. `small` holds whole columns by name, and row numbers as `""`.

    Raises `DataError` for words that are no role and for a group that is in two roles.
    """
    import numpy as np

    if data.roles.column is not None:
        roles = [_role(word, data.roles.column, name) for word in small[data.roles.column].tolist()]
        if data.group is not None:
            _one_role_a_group(small[data.group].tolist(), roles, data.group, name)
    else:
        roles = drawn(small[data.group or ""].tolist(), data.roles.draw or {}, data.roles.key)
    return np.flatnonzero(np.array([role in wanted for role in roles], dtype=bool))


def drawn(values: Iterable[Any], shares: Mapping[Role, float], key: str) -> list[Role]:
    """A role for each value: its keyed hash, a number in [0, 1), falls into one of the shares in their order.

    Equal values get equal roles, on every machine and in every order.
    """
    secret = hashlib.sha256(key.encode()).digest()
    edges = list(accumulate(shares.values()))
    known: dict[str, Role] = {}
    roles = list(shares)
    for value in (listed := [str(value) for value in values]):
        if value not in known:
            number = int.from_bytes(hashlib.blake2b(value.encode(), key=secret, digest_size=8).digest(), "big") / 2**64
            known[value] = next((role for role, edge in zip(roles, edges, strict=True) if number < edge), roles[-1])
    return [known[value] for value in listed]


def _role(word: Any, column: str, name: str) -> Role:
    try:
        return Role(str(word))
    except ValueError:
        near = catalog.nearest(str(word), list(Role))
        step = f"did you mean `{near}`?" if near else f"roles are: {', '.join(Role)}"
        raise DataError(
            f"`{seen(word)}` is no role", where=f"data `{name}`, column `{column}`", next_step=step
        ) from None


def _one_role_a_group(groups: Sequence[Any], roles: Sequence[Role], column: str, name: str) -> None:
    pairs = set(zip(groups, roles, strict=True))
    if split := len(pairs) - len({group for group, _ in pairs}):
        raise DataError(
            f"{split} groups of `{column}` have rows in more than one role",
            where=f"data `{name}`",
            next_step="give all rows of a group the same role",
        )
