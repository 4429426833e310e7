"""The command about hardware: this machine, the catalogue, and what a model would do on a device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seatrial.apps.cli import _out
from seatrial.errors import StudyError

if TYPE_CHECKING:
    from seatrial.contracts.hardware import Accelerator, Forecast, Measured, Range
    from seatrial.flow.hardware.device import Device

HERE = "here"
FITS = {True: "yes", False: "NO", None: "not known"}


def hardware(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="An ONNX file to predict; without one, the machine or the catalogue is shown.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            help="A device of the catalogue, such as `NVIDIA L4`; `here` (or nothing) is this machine. Without a model: all that is known of it.",
        ),
    ] = None,
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="List the catalogue; with a model, predict it on every device in it.")
    ] = False,
    batch: Annotated[int, typer.Option("--batch", help="Rows in one call.", min=1)] = 1,
    precision: Annotated[
        str | None, typer.Option("--precision", help="Numbers it computes in: fp32, bf16, fp16, int8, fp8.")
    ] = None,
    runtime: Annotated[
        list[str] | None,
        typer.Option(
            "--runtime",
            help="On this machine: what runs it, such as `openvino`; named twice or more, they are compared.",
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option("--threads", help="On this machine: processor threads, one or all of them.", min=1)
    ] = 1,
    axis: Annotated[
        list[str] | None, typer.Option("--axis", help="The length of a free axis, `NAME=LENGTH`; may be repeated.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Write the roofline with the model's operators to this SVG file.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Measure this machine again instead of taking what was kept.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout.")] = False,
) -> int:
    """Say what this machine reaches, what devices promise, and what a model would do on one you don't have."""
    _go_together(model, on, catalogue, runtime or [], threads, fresh, picture)
    if model is None and on not in (None, HERE):
        return _card(str(on), json)
    if model is None:
        return _list(json) if catalogue else _machine(fresh, json)
    from seatrial.flow.hardware import forecast, told

    count = forecast.file_counter(model, _axes(axis or []))
    if catalogue:
        return _compare(model, count, batch, precision, json)
    places = [_device(on, precision, name, threads, fresh) for name in runtime or [None]]
    if len(places) > 1:
        return _side_by_side(model, count, batch, places, json)
    made = forecast.forecast(places[0], count, batch)
    if picture is not None:
        from seatrial.flow.hardware.picture import picture as drawn

        _out.save(picture, drawn(made, model.name))
    if json:
        found = [one.model_dump(mode="json") for one in told.findings(made)]
        _out.data({"forecast": made.model_dump(mode="json"), "findings": found})
        return 0
    _predicted(made, model)
    if picture is not None:
        _out.note(f"the picture is in {picture}")
    return 0


def _go_together(
    model: Path | None, on: str | None, catalogue: bool, runtimes: list[str], threads: int, fresh: bool, picture: Path | None
) -> None:  # fmt: skip
    """Raises `StudyError` for options of which one would do nothing."""
    if picture is not None and model is None:
        raise StudyError(
            "a picture needs a model: none was named",
            next_step='`seatrial hardware model.onnx --on "NVIDIA L4" --picture roofline.svg`',
        )
    if picture is not None and (catalogue or len(runtimes) > 1):
        raise StudyError("a picture is of one device and one runtime", next_step='name one: `--on "NVIDIA L4"`')
    if catalogue and on is not None:
        raise StudyError("`--catalogue` is all devices, `--on` is one", next_step="leave one of them out")
    if (catalogue or on not in (None, HERE)) and (runtimes or threads > 1 or fresh):
        raise StudyError(
            "`--runtime`, `--threads` and `--fresh` are about this machine",
            next_step="leave them out, or leave out the device to predict the model here",
        )


def _axes(given: list[str]) -> dict[str, int]:
    found = {}
    for one in given:
        name, _, length = one.partition("=")
        if not length.isdecimal() or int(length) < 1:
            raise StudyError(f"--axis: `{one}` is no length of an axis", next_step="write it as `--axis sequence=128`")
        found[name] = int(length)
    return found


def _device(on: str | None, precision: str | None, runtime: str | None, threads: int, fresh: bool) -> Device:
    from seatrial.flow.hardware import catalogue, here
    from seatrial.flow.hardware.device import of_catalogue, this_machine

    if on not in (None, HERE):
        return of_catalogue(catalogue.find(str(on)), precision)
    here.able(runtime, precision or here.PRECISION, threads)  # before half a minute is spent on measuring
    measured = here.measured(fresh, _out.note)
    reached = here.reach(runtime, precision or here.PRECISION, threads, fresh, _out.note)
    peaks = {one.precision: one.flops for one in measured.peaks if one.threads == reached.threads}
    name = f"this machine ({measured.machine}, {reached.runtime}, {reached.threads} thread{'s' * (threads > 1)})"
    from seatrial.apps.cli._machine import machine

    memory = float(machine()["memory_bytes"])
    return this_machine(reached, measured.levels[reached.threads], peaks, name, memory)


# --- this machine -----------------------------------------------------------------------------------------------------------


def _machine(fresh: bool, json: bool) -> int:
    from seatrial.apps.cli._machine import machine
    from seatrial.flow.hardware import here

    found, devices, measured = machine(), here.accelerators(), here.measured(fresh, _out.note)
    if json:
        _out.data({"machine": found, "devices": devices, "measured": measured.model_dump(mode="json")})
        return 0
    _described(found, devices)
    _out.say()
    _reached(measured)
    _out.say()
    _out.say("`seatrial hardware MODEL` predicts a model on this machine, `--on DEVICE` on one of the catalogue.")
    return 0


def _described(found: dict[str, Any], devices: list[dict[str, str]]) -> None:
    from seatrial.apps.cli._machine import FEATURES

    features = ", ".join(f"{name} ({FEATURES[name]})" for name in found["features"])
    matrix = any(name.startswith("amx") for name in found["features"])
    named = [f"{one['kind']}: {one['name']}" + (f" ({one['note']})" if one["note"] else "") for one in devices]
    rows = [
        ("processor", found["processor"]),
        ("features", features or "none that low precision needs"),
        ("matrix units", "AMX" if matrix else "none: the processor computes products in its vector units"),
        ("cores", f"{found['cores']}, {found['cores_usable']} of them usable here"),
        ("memory", f"{found['memory_bytes'] / 2**30:.1f} GiB, {found['memory_free_bytes'] / 2**30:.1f} GiB free"),
        ("accelerators", "\n".join(named) or "no GPU, TPU or NPU was found"),
    ]
    _out.show(_out.table(("machine", ""), rows))


def _reached(measured: Measured) -> None:
    from seatrial.flow.hardware.advice import rate
    from seatrial.flow.hardware.device import QUIET

    _out.show(_out.heading(f"Measured {measured.measured_at} (kept; `--fresh` measures again)"))
    ordered = sorted(measured.peaks, key=lambda one: (one.threads, one.flops))
    rows = [
        (one.precision, str(one.threads), rate(one.flops, "OP/s" if one.precision == "int8" else "FLOP/s"), one.runtime)
        for one in ordered
    ]
    _out.show(_out.table(("large matrix products in", "threads", "reach", "with"), rows, right=("threads", "reach")))
    _out.say()
    counts = sorted(measured.levels)
    sizes = [one.size for one in measured.levels[counts[0]]][::4]
    steps: list[tuple[str, ...]] = []
    for size in sizes:
        cells = [next(one.bandwidth for one in measured.levels[count] if one.size == size) for count in counts]
        steps.append((rate(size, "B"), *(rate(one, "B/s") for one in cells)))
    heads = ("data used over and over", *(f"{count} thread{'s' * (count > 1)}" for count in counts))
    _out.show(_out.table(heads, steps, right=heads[1:]))
    if measured.load_1m > QUIET:
        _out.note(
            f"the machine was busy then (load {measured.load_1m:g}): `--fresh` when it is quiet gives truer figures"
        )
    for failure in measured.failures:
        _out.note(f"not measured: {failure}")


# --- the catalogue ------------------------------------------------------------------------------------------------------------


def _list(json: bool) -> int:
    from seatrial.flow.hardware.catalogue import devices

    if json:
        _out.data([one.model_dump(mode="json") for one in devices()])
        return 0
    heads = ("device", "year", "fp32", "bf16", "int8", "memory", "bandwidth", "confidence", "products reach")
    _out.show(_out.table(heads, [_row(one) for one in devices()], right=heads[1:7]))
    _out.say()
    _out.say(
        "Peaks are TFLOP/s (int8: TOP/s) without sparsity, as promised; `products reach` is the share of them that matrix"
    )
    _out.say(
        "products reach. Rows marked * are leads: their figures aren't from the vendor's own pages, and count for less."
    )
    _out.say(
        '`seatrial hardware --on "NVIDIA L4"` says of one device all that is known, and where it stands; `--json` of all.'
    )
    return 0


def _card(name: str, json: bool) -> int:
    """All that the catalogue knows of one device, with its sources."""
    from seatrial.flow.hardware.advice import rate
    from seatrial.flow.hardware.catalogue import find

    row = find(name)
    if json:
        _out.data(row.model_dump(mode="json"))
        return 0
    peaks = (f"{one} {rate(value, 'OP/s' if one == 'int8' else 'FLOP/s')}" for one, value in row.peaks.items())
    own = "from the vendor's own pages" if row.own_source else "a lead: not from the vendor's own pages"
    reach = {
        "matrix products reach": row.matrix,
        "simple steps and depthwise convolutions reach": row.vector,
        "moving data reaches": row.memory,
        "looking up scattered rows reaches": row.random,
    }
    rows = [
        ("peaks, without sparsity", ", ".join(peaks)),
        ("memory", rate(row.memory_bytes, "B") if row.memory_bytes else "not known"),
        ("memory bandwidth", rate(row.bandwidth, "B/s") if row.bandwidth else "not known"),
        ("power limit", f"{row.power_w:g} W" if row.power_w else "not known"),
        ("confidence", f"{row.confidence}; {own}"),
        ("sources", "\n".join(row.sources)),
        ("doubts and notes", row.note or "none"),
        *((what, f"{100 * one.low:.0f} to {100 * one.high:.0f} % ({one.source})") for what, one in reach.items()),
    ]
    _out.show(_out.heading(f"{row.name} ({row.vendor}, {row.kind}, {row.year})"))
    _out.show(_out.table(("", ""), rows))
    _out.say()
    _out.say(f'`seatrial hardware MODEL --on "{row.name}"` predicts a model on it.')
    return 0


def _row(one: Accelerator) -> tuple[str, ...]:
    def peak(precision: str) -> str:
        return f"{one.peaks[precision] / 1e12:g}" if precision in one.peaks else "-"

    half = next((f"{value / 1e12:g}" for name, value in one.peaks.items() if name in ("bf16", "fp16")), "-")
    memory = f"{one.memory_bytes / 1e9:g} GB" if one.memory_bytes else "-"
    bandwidth = f"{one.bandwidth / 1e9:g} GB/s" if one.bandwidth else "-"
    reach = f"{100 * one.matrix.low:.0f} to {100 * one.matrix.high:.0f} %"
    lead = "" if one.own_source else " *"
    return one.name, str(one.year), peak("fp32"), half, peak("int8"), memory, bandwidth, one.confidence + lead, reach


def _compare(model: Path, count: Any, batch: int, precision: str | None, json: bool) -> int:
    """The model on every device of the catalogue that has the figures for it, fastest first."""
    from seatrial.flow.hardware import forecast
    from seatrial.flow.hardware.advice import figure, seconds, words
    from seatrial.flow.hardware.catalogue import devices
    from seatrial.flow.hardware.device import of_catalogue
    from seatrial.numerics.work import WIDTHS

    found, left = [], []
    for row in devices():
        try:
            device = of_catalogue(row, precision)
        except StudyError as error:
            left.append(error.what)
            continue
        work = count(batch, WIDTHS[device.precision])
        found.append((device, forecast.seconds(device, count, batch), forecast.fitting(device, work)))
    found.sort(key=lambda one: one[1].value)
    if json:
        _out.data(
            [
                {"device": one.name, "precision": one.precision, "latency": took.model_dump(), "fits": fits}
                for one, took, fits in found
            ]
        )
        return 0
    heads = ("device", "in", "a call", "range", "rows a second", "fits its memory")
    rows = [
        (one.name, one.precision, seconds(took.value), f"{seconds(took.low)} to {seconds(took.high)}", figure(batch / took.value), FITS[fits])
        for one, took, fits in found
    ]  # fmt: skip
    _out.show(_out.heading(f"{model.name}, {batch} rows a call: {words()['result']['predicted']}"))
    _out.show(_out.table(heads, rows, right=("a call", "rows a second")))
    _out.say()
    _out.say(_order([(one.name, took) for one, took, _ in found]))
    for why in left:
        _out.note(f"left out: {why}")
    return 0


def _order(found: list[tuple[str, Range]]) -> str:
    """Which is fastest, or that the order is open; `found` is fastest first."""
    from seatrial.flow.hardware.advice import words

    (device, best), *others = found
    count = sum(one.low <= best.high for _, one in others)
    return words()["result"]["order_open" if count else "order_settled"].format(device=device, count=count)


def _side_by_side(model: Path, count: Any, batch: int, places: list[Device], json: bool) -> int:
    """The model in several runtimes on this machine, fastest first, and how sure their order is."""
    from seatrial.flow.hardware import forecast
    from seatrial.flow.hardware.advice import figure, seconds, words
    from seatrial.flow.hardware.device import against

    found = sorted(((forecast.seconds(one, count, batch), one) for one in places), key=lambda pair: pair[0].value)
    ratios = [against(found[0][1], one, found[0][0].value, took.value) for took, one in found[1:]]
    if json:
        told = [
            {"runtime": one.runtime, "precision": one.precision, "latency": took.model_dump()} for took, one in found
        ]
        _out.data({"runtimes": told, "fastest_over": [one.model_dump() for one in ratios]})
        return 0
    _out.show(_out.heading(f"{model.name}, {batch} rows a call, this machine: {words()['result']['predicted']}"))
    rows = [
        (one.runtime, one.precision, seconds(took.value), f"{seconds(took.low)} to {seconds(took.high)}", figure(batch / took.value))
        for took, one in found
    ]  # fmt: skip
    heads = ("runtime", "in", "a call", "range", "rows a second")
    _out.show(_out.table(heads, rows, right=("a call", "rows a second")))
    _out.say()
    first = found[0][1].runtime
    for (_, one), ratio in zip(found[1:], ratios, strict=True):
        said = words()["result"]["open" if ratio.low <= 1 else "settled"]
        ends = {name: figure(getattr(ratio, name)) for name in ("value", "low", "high")}
        _out.show(said.format(first=first, other=one.runtime, **ends))
    for doubt in dict.fromkeys(doubt for one in places for doubt in one.doubts):
        _out.show(f"Doubt: {doubt}.")
    return 0


# --- a prediction ---------------------------------------------------------------------------------------------------------------


def _predicted(made: Forecast, model: Path) -> None:
    from seatrial.flow.hardware.advice import advice, figure, seconds, words

    said, result = advice(made), words()["result"]
    _out.show(_out.heading(f"{model.name} on {made.device}, {made.precision}, {made.batch} rows a call"))
    _out.say(result["predicted"])
    _out.say()
    took, speed = made.latency, made.throughput
    rows = [
        ("a call takes", seconds(took.value), f"{seconds(took.low)} to {seconds(took.high)}"),
        ("rows a second", figure(speed.value), f"{figure(speed.low)} to {figure(speed.high)}"),
    ]
    _out.show(_out.table(("", "predicted", "range"), rows, right=("predicted",)))
    _out.say()
    parts = sorted(made.shares.items(), key=lambda one: -one[1])
    spent = [(words()["limit"][limit], f"{100 * share:.0f} %") for limit, share in parts]
    _out.show(_out.table(("where the time goes", ""), spent, right=("",)))
    _out.say()
    for sentence in (said.bound, said.idle, said.why):
        _out.show(sentence)
    _out.say()
    for title, pairs in ((result["helps"], said.helps), (result["helps_not"], said.helps_not)):
        _out.show(_out.table((title, ""), pairs or [(result["nothing"], "")]))
        _out.say()
    suits = [(one.architecture, figure(one.intensity), f"at most {figure(100 * one.most)} %") for one in made.suits]
    _out.show(_out.heading(result["suits"].format(batch=made.batch)))
    _out.show(_out.table(("kind of model", "operations a byte", "of the arithmetic"), suits, right=("operations a byte", "of the arithmetic")))  # fmt: skip
    _out.say()
    _out.show(f"It rests on: {made.basis}.")
    for doubt in made.doubts:
        _out.show(f"Doubt: {doubt}.")
