"""The command `capacity`: what a traffic takes and costs, from a run that was kept. The model isn't needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seatrial.apps.cli import _out
from seatrial.apps.cli.kept import Folder, Json


def capacity(
    run: Annotated[
        str, typer.Argument(help="A run's name or the beginning of it, `latest`, its folder, or a study file.")
    ] = "latest",
    rate: Annotated[str | None, typer.Option("--rate", help="Queries a second on average: `200`.")] = None,
    p99: Annotated[
        str | None, typer.Option("--p99", help="What the 99th percentile of latency must keep: `50ms`.")
    ] = None,
    price: Annotated[
        str | None,
        typer.Option("--price", help="What an hour of this machine costs, `1.20/h`, or a row of the price table."),
    ] = None,
    traffic: Annotated[
        Path | None,
        typer.Option("--traffic", help="A YAML file (`rate`, `hours`, `peak`), or a text file of arrivals in seconds."),
    ] = None,
    money: Annotated[
        Path | None,
        typer.Option("--money", help="A YAML file like the study's `money:` block: places, network, today."),
    ] = None,
    currency: Annotated[
        str | None, typer.Option("--currency", help="Of all amounts that are stated: `EUR`; USD if left out.")
    ] = None,
    candidate: Annotated[
        str | None, typer.Option("--candidate", help="Its id or label; the recommended one if left out.")
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Most queries answered together.", min=1)] = None,
    per_machine: Annotated[
        int | None, typer.Option("--per-machine", help="How many replicas share one machine, as fast as alone.", min=1)
    ] = None,
    wait: Annotated[str | None, typer.Option("--wait", help="How long the first of a batch waits: `5ms`.")] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Draw what would change the recommendation into this file.")
    ] = None,
    folder: Folder = Path(),
    json: Json = False,
) -> int:
    """Replicas, cost and use for a traffic, from a stored run; and what would be if."""
    from seatrial.apps.cli import _capacity

    percentile = None if p99 is None else 99
    said: dict[str, Any] = {
        "rate": rate,
        "within": p99,
        "percentile": percentile,
        "batch": batch,
        "wait": wait,
        "per_machine": per_machine,
        "currency": currency,
        **_priced(price),
    }
    said = {name: value for name, value in said.items() if value is not None}
    asked = _capacity.ask(run, folder, candidate, money, traffic, said)
    if json:
        _out.data(_capacity.data(asked))
    else:
        _capacity.tell(asked)
    if svg is not None:
        _out.save(svg, _capacity.tornado(asked))
        _out.note(f"{svg} is written.")
    return 0 if asked.possible else 1


def _priced(price: str | None) -> dict[str, str | None]:
    """A price table's row has a slash and begins with a letter: `aws/g6.4xlarge`."""
    if price is None:
        return {}
    return {"price": price} if "/" in price and price.lstrip()[:1].isalpha() else {"hour": price}
