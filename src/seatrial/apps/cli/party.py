"""Commands of secure evaluation: each of three parties makes a key, all agree on terms, and each plays its part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seatrial.apps.cli import _out
from seatrial.apps.cli.kept import Folder, Json
from seatrial.errors import StudyError

if TYPE_CHECKING:
    from seatrial.contracts.parties import Opened, Terms

app = typer.Typer(
    name="party",
    help="Evaluate a private model on private rows: three parties, over TLS, and counts alone are opened.",
    no_args_is_help=True,
)
TermsFile = Annotated[Path, typer.Argument(help="The terms that all three start with.", exists=True, dir_okay=False)]
Keys = Annotated[Path, typer.Option("--keys", help="Folder of your key and certificate.", exists=True, file_okay=False)]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for the others at the start.", min=0.1)]
Listen = Annotated[
    str, typer.Option("--listen", help="Address to listen at, if not that of the terms: `0.0.0.0`.", metavar="HOST")
]


@app.command()
def keys(
    folder: Annotated[Path, typer.Argument(help="Where your key and certificate are written.")],
    name: Annotated[str, typer.Option("--name", help="What you are called.")],
    days: Annotated[int, typer.Option("--days", help="How long the certificate is good for.", min=1)] = 365,
    json: Json = False,
) -> int:
    """Make your key and certificate. The key stays with you; the certificate is for the other two."""
    from seatrial.flow.secure import keys as made

    file = made.make(folder, name, days)
    mark = made.fingerprint(file.read_text())
    if json:
        _out.data({"certificate": str(file), "sha256": mark})
        return 0
    _out.say(f"{file} is for the other two parties (SHA-256 {mark}).")
    _out.say(f"{folder / made.KEY} is yours alone.")
    return 0


@app.command()
def terms(
    model: Annotated[Path, typer.Argument(help="Your model: an ONNX file.", exists=True, dir_okay=False)],
    model_owner: Annotated[Path, typer.Option("--model-owner", help="Your certificate.", exists=True, dir_okay=False)],
    data_owner: Annotated[
        Path, typer.Option("--data-owner", help="The data owner's certificate.", exists=True, dir_okay=False)
    ],
    helper: Annotated[Path, typer.Option("--helper", help="The helper's certificate.", exists=True, dir_okay=False)],
    data_at: Annotated[str, typer.Option("--data-at", help="Where the data's owner listens.", metavar="HOST:PORT")],
    helper_at: Annotated[str, typer.Option("--helper-at", help="Where the helper listens.", metavar="HOST:PORT")],
    rows: Annotated[int, typer.Option("--rows", help="How many rows the data's owner brings.", min=1)],
    span: Annotated[str, typer.Option("--range", help="Least and largest value of an input.", metavar="LOW,HIGH")],
    classes: Annotated[
        str | None, typer.Option("--classes", help="Names of the classes: `cat,dog`; 0, 1, ... if left out.")
    ] = None,
    opened: Annotated[
        str, typer.Option("--open", help="What both owners shall see: `correct`, `correct_per_class`, `confusion`.")
    ] = "correct_per_class",
    digits: Annotated[int, typer.Option("--digits", help="Binary digits behind the point.", min=4, max=20)] = 16,
    batch: Annotated[int, typer.Option("--batch", help="Rows that are computed together.", min=1)] = 250,
    patience: Annotated[
        float, typer.Option("--patience", help="Seconds of silence after which a party is given up.", min=1)
    ] = 60.0,
    longest: Annotated[
        float, typer.Option("--longest", help="Seconds after which the whole evaluation is given up.", min=1)
    ] = 3600.0,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("terms.json"),
    json: Json = False,
) -> int:
    """Write the terms, as the model's owner: shapes and bounds of the model, who takes part, and what will be opened."""
    from seatrial.flow.secure import network
    from seatrial.flow.secure import terms as written

    found = network.read(model)
    low, high = _span(span)
    cards = [_card("model", model_owner, ""), _card("data", data_owner, data_at), _card("helper", helper, helper_at)]
    said: dict[str, Any] = {
        "parties": cards,
        "rows": rows,
        "low": low,
        "high": high,
        "classes": classes.split(",") if classes else [str(place) for place in range(found.outputs)],
        "counts": opened,
        "fraction": digits,
        "batch": batch,
        "patience": patience,
        "longest": longest,
    }
    return _show(written.write(found, out, said), json, f"{out} is written: give it to the other two.")


@app.command()
def show(file: TermsFile, json: Json = False) -> int:
    """Say what terms hold, and their hash: compare it with the others before you start."""
    from seatrial.flow.secure import terms as written

    return _show(written.read(file), json)


@app.command()
def model(
    file: TermsFile,
    brings: Annotated[Path, typer.Argument(help="Your model: an ONNX file.", exists=True, dir_okay=False)],
    keys: Keys,
    wait: Wait = 300.0,
    folder: Folder = Path(),
    json: Json = False,
) -> int:
    """Play the model owner's part: weights go out as shares that tell nothing alone."""
    return _play("model", file, keys, wait, folder, json, {"brings": str(brings)})


@app.command()
def data(
    file: TermsFile,
    brings: Annotated[Path, typer.Argument(help="Your rows and labels: a file or folder.", exists=True)],
    keys: Keys,
    inputs: Annotated[str, typer.Option("--inputs", help="Columns of the model's inputs, in its order.")] = "x",
    label: Annotated[str, typer.Option("--label", help="Column of the right class: its name, or its place.")] = "y",
    listen: Listen = "",
    wait: Wait = 300.0,
    folder: Folder = Path(),
    json: Json = False,
) -> int:
    """Play the data owner's part: rows and labels go out as shares that tell nothing alone."""
    said = {
        "brings": str(brings),
        "inputs": [one.strip() for one in inputs.split(",")],
        "label": label,
        "listen": listen,
    }
    return _play("data", file, keys, wait, folder, json, said)


@app.command()
def helper(
    file: TermsFile,
    keys: Keys,
    listen: Listen = "",
    wait: Wait = 300.0,
    folder: Folder = Path(),
    json: Json = False,
) -> int:
    """Play the helper's part: it holds neither model nor rows, computes on shares, and learns no count."""
    return _play("helper", file, keys, wait, folder, json, {"listen": listen})


def _play(role: str, file: Path, keys: Path, wait: float, folder: Path, json: bool, said: dict[str, Any]) -> int:
    from seatrial.flow.secure import party
    from seatrial.flow.secure import terms as written
    from seatrial.flow.secure.order import Order

    agreed = written.read(file)
    part = party.take_part(
        Order.model_validate({"role": role, "terms": agreed, "keys": str(keys), "wait": wait, **said})
    )
    place = party.keep(part, folder)
    if json:
        findings = [one.model_dump(mode="json") for one in part.dossier.findings]
        _out.data({"opened": part.opened.model_dump(mode="json"), "findings": findings, "run": str(place)})
        return 0
    _tell(agreed, part.opened)
    _out.say(f"It is kept as {place}: `seatrial report {place}` tells it.")
    return 0


def _tell(terms: Terms, opened: Opened) -> None:
    from seatrial.contracts.parties import TRUST
    from seatrial.flow.secure.told import sentence

    if opened.counts:
        _out.show(_counts(terms, opened))
    _out.say(sentence(terms, opened))
    _out.say(
        f"{opened.seconds:,.1f} s, {opened.sent / 1e6:,.1f} MB sent in {opened.messages:,} messages, {opened.rounds:,} of them one after another."
    )
    _out.say(TRUST)


def _counts(terms: Terms, opened: Opened) -> Any:
    if terms.counts == "correct":
        return _out.table(("right",), [(str(opened.counts[0][0]),)])
    if terms.counts == "correct_per_class":
        return _out.table(("class", "right"), [(name, str(count)) for name, count in zip(terms.classes, opened.counts[0], strict=True)], right=("right",))  # fmt: skip
    heads = ("predicted", *terms.classes)
    lines = zip(terms.classes, opened.counts, strict=True)
    return _out.table(heads, [(name, *map(str, line)) for name, line in lines], right=terms.classes)


def _show(terms: Terms, json: bool, first: str = "") -> int:
    from seatrial.contracts.parties import CALLED, TRUST
    from seatrial.flow.secure import keys

    if json:
        _out.data({"hash": terms.hash, "terms": terms.model_dump(mode="json", by_alias=True)})
        return 0
    if first:
        _out.say(first)
    _out.say(f"hash {terms.hash}")
    rows = [(CALLED[card.role], card.name, f"{card.host}:{card.port}" if card.port else "connects", keys.fingerprint(card.certificate)[:16]) for card in terms.parties]  # fmt: skip
    _out.show(_out.table(("party", "called (as declared)", "listens at", "certificate"), rows))
    shapes = " > ".join(["x".join(map(str, terms.inputs)), *(f"{layer.kind} {'x'.join(map(str, layer.outputs))}" for layer in terms.layers)])  # fmt: skip
    _out.say(f"network: {shapes}")
    _out.say(
        f"{terms.rows:,} rows, inputs from {terms.low:g} to {terms.high:g}, {terms.fraction} binary digits behind the point"
    )
    _out.say(
        f"opened to the two owners: {terms.counts.replace('_', ' ')}, and how many rows could be answered otherwise in float32; nothing else"
    )
    _out.say(TRUST)
    return 0


def _span(text: str) -> tuple[float, float]:
    try:
        low, high = (float(one) for one in text.split(","))
    except ValueError as error:
        raise StudyError(f"--range: `{text}` is no LOW,HIGH", next_step="like `--range 0,1`") from error
    return low, high


def _card(role: str, certificate: Path, place: str) -> dict[str, Any]:
    from seatrial.flow.secure import keys

    text = certificate.read_text(encoding="utf-8", errors="replace")
    host, _, port = place.rpartition(":")
    if place and not (host and port.isdigit()):
        raise StudyError(f"`{place}` is no HOST:PORT", next_step="like `--helper-at 192.0.2.7:7703`")
    return {"role": role, "name": keys.called(text), "certificate": text, "host": host, "port": int(port or 0)}
