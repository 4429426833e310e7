"""Seatrial: what each way to run a model buys, and whether it is still the model that was approved.

    import seatrial

    dossier = seatrial.run("study.yaml")
    print(dossier.verdict.sentence)

Importing it loads nothing; each name is fetched when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seatrial.apps.python import load as load
    from seatrial.apps.python import plan as plan
    from seatrial.apps.python import read as read
    from seatrial.apps.python import run as run
    from seatrial.contracts.candidate import Candidate as Candidate
    from seatrial.contracts.dossier import Dossier as Dossier
    from seatrial.contracts.finding import Finding as Finding
    from seatrial.contracts.study import Study as Study
    from seatrial.contracts.verdict import Verdict as Verdict
    from seatrial.errors import SeatrialError as SeatrialError

    __version__: str

_PLACES = {
    "run": "apps.python",
    "plan": "apps.python",
    "read": "apps.python",
    "load": "apps.python",
    "Study": "contracts.study",
    "Candidate": "contracts.candidate",
    "Finding": "contracts.finding",
    "Verdict": "contracts.verdict",
    "Dossier": "contracts.dossier",
    "SeatrialError": "errors",
}
__all__ = [*_PLACES, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("seatrial")
    elif name in _PLACES:
        from importlib import import_module

        value = getattr(import_module(f"seatrial.{_PLACES[name]}"), name)
    else:
        raise AttributeError(f"seatrial has no `{name}`; it offers {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
