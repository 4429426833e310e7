"""The command about hardware: this machine, the catalogue, and what a model would do on a device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seatrial.apps.cli import _out
from seatrial.errors import StudyError

if TYPE_CHECKING:
    from seatrial.contracts.hardware import Accelerator, Forecast, Measured
    from seatrial.flow.hardware.device import Device

HERE = "here"


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
            "--on", help="A device of the catalogue, such as `NVIDIA L4`; `here` (or nothing) is this machine."
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
        str | None, typer.Option("--runtime", help="On this machine: what runs it, such as `openvino`.")
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
    if model is None:
        _no_model_needed(on, picture)
        return _list(json) if catalogue else _machine(fresh, json)
    from seatrial.flow.hardware import forecast

    count = forecast.file_counter(model, _axes(axis or []))
    if catalogue:
        return _compare(model, count, batch, precision, json)
    made = forecast.forecast(_device(on, precision, runtime, threads, fresh), count, batch)
    if picture is not None:
        from seatrial.flow.hardware.picture import picture as drawn

        _out.save(picture, drawn(made, model.name))
    if json:
        told = [one.model_dump(mode="json") for one in forecast.findings(made)]
        _out.data({"forecast": made.model_dump(mode="json"), "findings": told})
        return 0
    _predicted(made, model)
    if picture is not None:
        _out.note(f"the picture is in {picture}")
    return 0


def _no_model_needed(on: str | None, picture: Path | None) -> None:
    if on or picture:
        raise StudyError(
            "a prediction needs a model: none was named", next_step='`seatrial hardware model.onnx --on "NVIDIA L4"`'
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
    measured = here.measured(fresh, _out.note)
    reached = here.reach(runtime, precision or here.PRECISION, threads, fresh, _out.note)
    peaks = {one.precision: one.flops for one in measured.peaks if one.threads == reached.threads}
    name = f"this machine ({measured.machine}, {reached.runtime}, {reached.threads} thread{'s' * (threads > 1)})"
    return this_machine(reached, measured.levels[reached.threads], peaks, name)


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
    _out.say("`--json` has every row with its sources, notes and where its range comes from.")
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

    found, left = [], []
    for row in devices():
        try:
            device = of_catalogue(row, precision)
        except StudyError as error:
            left.append(error.what)
            continue
        found.append((device, forecast.seconds(device, count, batch)))
    found.sort(key=lambda one: one[1].value)
    if json:
        _out.data(
            [{"device": one.name, "precision": one.precision, "latency": took.model_dump()} for one, took in found]
        )
        return 0
    heads = ("device", "in", "a call", "range", "rows a second")
    rows = [
        (one.name, one.precision, seconds(took.value), f"{seconds(took.low)} to {seconds(took.high)}", figure(batch / took.value))
        for one, took in found
    ]  # fmt: skip
    _out.show(_out.heading(f"{model.name}, {batch} rows a call: {words()['result']['predicted']}"))
    _out.show(_out.table(heads, rows, right=("a call", "rows a second")))
    _out.say()
    _out.say("Where ranges overlap, the order between devices is open.")
    for why in left:
        _out.note(f"left out: {why}")
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
    if made.fits is False:
        _out.show(result["too_large"])
