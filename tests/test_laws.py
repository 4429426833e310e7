"""The laws of the house: found by walking the tree, so that a new file is held to them without being listed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import seatrial
from seatrial import catalog
from seatrial.contracts.part import GAPS, KINDS, PartInfo

HOME = Path(seatrial.__file__).parent
FRAMEWORKS = {"polars", "torch", "onnxruntime", "onnx", "openvino", "jax", "ray", "sklearn", "pandas", "scipy", "mpyc"}
ROOMS = ("errors", "contracts", "numerics", "parts", "catalog", "flow", "live", "apps", "testing", "door")
"""From the ground up: a room imports itself and what stands before it. `testing` is for those who write parts."""

LONGEST_FILE, LONGEST_FUNCTION = 400, 60
PARTS = [part for kind in catalog.kinds() for part in catalog.parts(kind).values()]


class Module(NamedTuple):
    name: str
    file: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        _, _, inside = self.name.partition(".")
        return inside.split(".")[0] if inside and inside != "__main__" else "door"


def _modules() -> dict[str, Module]:
    found = {}
    for file in sorted(HOME.rglob("*.py")):
        inside = file.relative_to(HOME).with_suffix("").parts
        name = ".".join(("seatrial", *inside)).removesuffix(".__init__")
        found[name] = Module(name, file, ast.parse(file.read_text(encoding="utf-8"), str(file)))
    return found


MODULES = _modules()


def _nodes(tree: ast.AST, types_too: bool) -> Iterator[ast.AST]:
    """All nodes; without what stands under `if TYPE_CHECKING:` unless asked."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not types_too:
            continue
        yield node
        yield from _nodes(node, types_too)


def _imports(module: Module, types_too: bool = True) -> set[str]:
    """The modules of this house that a module names, wherever in the file it does."""
    found = set()
    for node in _nodes(module.tree, types_too):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}:{node.lineno}: imports here are written in full"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else str(node.module) for name in inner}
    return {name for name in found if name.split(".")[0] == "seatrial"}


# --- law 1: imports point down ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES.keys())
def test_imports_point_down(module: Module) -> None:
    height = ROOMS.index(module.room)
    for name in _imports(module):
        assert name in MODULES, f"{module.name} imports {name}, which isn't there"
        assert ROOMS.index(MODULES[name].room) <= height, f"{module.name} imports {name}, which stands above it"


def test_nobody_inside_imports_the_front_door() -> None:
    guilty = [name for name, module in MODULES.items() if "seatrial" in _imports(module)]
    assert not guilty


def test_nobody_but_testing_imports_testing() -> None:
    guilty = [
        name
        for name, module in MODULES.items()
        if module.room != "testing" and any(target.startswith("seatrial.testing") for target in _imports(module))
    ]
    assert not guilty


def test_there_are_no_cycles() -> None:
    graph = {name: _imports(module, types_too=False) - {name, "seatrial"} for name, module in MODULES.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a cycle of imports: {' -> '.join(error.args[1])}")
    assert set(order) >= set(graph) - {"seatrial"}


def _twice(tree: ast.AST) -> list[str]:
    """Functions and classes of one scope by a name that another there has too: the later one wins in silence."""
    scopes = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = []
    for scope in scopes:
        plain = [node.name for node in scope.body if isinstance(node, kinds) and not node.decorator_list]
        found += [name for name, count in Counter(plain).items() if count > 1]
    return found


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES.keys())
def test_no_name_is_given_twice(module: Module) -> None:
    assert not _twice(module.tree)


def test_the_law_against_names_given_twice_can_be_broken() -> None:
    assert _twice(
        ast.parse("def told(a): ...\nclass A:\n    def b(self): ...\n    def b(self, c): ...\ndef told(d): ...")
    ) == ["told", "b"]


# --- law 2: flow names no part, a part imports no other ----------------------------------------------------------------

DEFAULTS = {
    "seatrial.contracts.study",
    "seatrial.contracts.measuring",
    "seatrial.contracts.candidate",
    "seatrial.contracts.training",
    "seatrial.contracts.securing",
    "seatrial.contracts.confiding",
    "seatrial.contracts.poisoning",
}
"""Where defaults of the study file stand: they are what a user would have written."""
TABLES = {
    "seatrial.contracts.glossary",
    "seatrial.contracts.terms_of_data",
    "seatrial.contracts.terms_of_quality",
    "seatrial.contracts.terms_of_trust",
    "seatrial.contracts.terms_of_privacy",
    "seatrial.contracts.terms_of_security",
    "seatrial.contracts.part",
}
"""Words that findings and parts are called by, for people."""
CONTRACT_WORDS = {
    "prefer": "a field of the study: the rule that orders candidates",
    "precision": "a coordinate of candidates, and an aspect that parts accept",
    "map": "what YAML calls a mapping: the tag `tag:yaml.org,2002:map`",
    "embedding": "what operators that look vectors up are called",
    "memory": "a field of a worker's answer and of a study's limits",
    "network": "an option of executors, and a word of a worker's answer: what it can reach",
    "json": "a way of writing: `model_dump(mode='json')`",
    "python": "a field of the environment: the interpreter's version",
    "predictions": "what people call the column of a file that holds predicted classes",
}
"""Parts whose names are words of the contracts too; nothing else of the house may be called by them."""


def _words(module: Module) -> Iterator[tuple[int, str]]:
    """Every string in code that isn't a docstring."""
    docstrings = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def test_flow_names_no_part() -> None:
    names = {part.name for part in PARTS} - set(CONTRACT_WORDS)
    rooms = {"flow", "catalog", "contracts"}
    guilty = [
        f"{name}:{line}: `{word}`"
        for name, module in MODULES.items()
        if module.room in rooms and name not in DEFAULTS | TABLES
        for line, word in _words(module)
        if word in names
    ]
    assert not guilty, "a part's name stands in code: ask the catalogue, or say it in the study's defaults"


def test_the_law_against_naming_parts_can_be_broken() -> None:
    for code in ('find("runtimes", "torch")', 'if part.name == "torch": pass', 'SPECIAL = {"torch": 1}'):
        module = Module("seatrial.flow.guilty", Path("guilty.py"), ast.parse(code))
        assert "torch" in [word for _, word in _words(module)]
    innocent = Module("seatrial.flow.innocent", Path("innocent.py"), ast.parse('"""torch"""\ntorch = part.name'))
    assert not list(_words(innocent))


def test_contract_words_are_names_of_parts() -> None:
    assert set(CONTRACT_WORDS) <= {part.name for part in PARTS}, "a word that no part has needs no leave"


def test_no_part_imports_another() -> None:
    for name, module in MODULES.items():
        if module.room != "parts":
            continue
        kind = name.split(".")[2] if name.count(".") > 1 else ""
        for target in _imports(module) - {name}:
            if target.startswith("seatrial.parts."):
                of, _, file = target.removeprefix("seatrial.parts.").partition(".")
                assert of == kind, f"{name} imports {target}"
                assert file.startswith("_"), f"{name} imports {target}"


# --- law 3: light ----------------------------------------------------------------------------------------------------------


def _loaded(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after this code."""
    report = "\nimport sys as _s, json as _j; print('\\n@' + _j.dumps(sorted({m.split('.')[0] for m in _s.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.rpartition("@")[2]))


HEAVY = FRAMEWORKS | {"numpy", "sqlalchemy", "jinja2", "ruamel"}


def test_the_front_door_loads_nothing() -> None:
    assert not _loaded("import seatrial") & (HEAVY | {"pydantic", "typer", "rich"})


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["parts"], ["--version"], ["explain", "flips.lost"]], ids=" ".join
)
def test_looking_loads_nothing_heavy(words: list[str]) -> None:
    assert not _loaded(f"from seatrial.apps.cli.main import main; assert main({words!r}) == 0") & HEAVY


def test_contracts_and_the_catalogue_load_no_array_library() -> None:
    names = [name for name, module in MODULES.items() if module.room in ("errors", "contracts", "catalog")]
    assert not _loaded(f"import {', '.join(names)}") & (FRAMEWORKS | {"numpy"})


def test_flow_loads_no_framework() -> None:
    names = [name for name, module in MODULES.items() if module.room == "flow"]
    assert not _loaded(f"import {', '.join(names)}") & FRAMEWORKS


def test_every_part_is_listed_and_its_options_read_with_its_packages_blocked() -> None:
    code = textwrap.dedent("""
        import sys
        from seatrial import catalog
        parts = [part for kind in catalog.kinds() for part in catalog.parts(kind).values()]
        blocked = {package.split(".")[0] for part in parts for package in part.needs} | %r

        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in blocked:
                    raise ModuleNotFoundError(f"No module named {name!r} (blocked)", name=name)

        sys.meta_path.insert(0, Refuse())
        for part in parts:
            catalog.options_type(catalog.load(part)).model_json_schema()
        print(len(parts))
    """) % (FRAMEWORKS,)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(PARTS)


# --- law 4: what a part's file says --------------------------------------------------------------------------------------


def test_every_folder_of_parts_is_a_kind() -> None:
    folders = {
        folder.name for folder in (HOME / "parts").iterdir() if folder.is_dir() and not folder.name.startswith("_")
    }
    assert folders <= set(KINDS)
    assert all(catalog.parts(kind) for kind in folders), "a kind appears when its first part is built"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.kind}.{part.name}")
def test_a_part_describes_itself(part: PartInfo) -> None:
    assert 10 < len(part.description) <= 160, "the first line of the docstring describes the part"
    assert part.description.endswith("."), "the description is a sentence"
    assert all(gap in GAPS and reason for gap, reason in part.cannot.values())
    assert part.extra is None or part.needs, "an extra brings packages that the part needs"
    for name, field in catalog.options_type(catalog.load(part)).model_fields.items():
        assert field.description, f"the option `{name}` has no description"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.kind}.{part.name}")
def test_a_part_uses_kinds_that_there_are(part: PartInfo) -> None:
    assert set(part.uses) <= set(KINDS)


# --- law 6: exams and plug-ins --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", catalog.kinds())
def test_every_kind_has_an_exam(kind: str) -> None:
    file = HOME / "testing" / f"{kind}.py"
    assert file.is_file(), f"there is no exam for {kind}: testing/{kind}.py"
    exams = [node for node in MODULES[f"seatrial.testing.{kind}"].tree.body if isinstance(node, ast.FunctionDef)]
    exam = next((node for node in exams if node.name == "exam"), None)
    assert exam is not None, f"testing/{kind}.py has no exam(part)"
    assert len(exam.args.args) - len(exam.args.defaults) == 1, "an exam needs a part and nothing else"


@pytest.fixture
def plug_in(tmp_path: Path) -> Path:
    """A folder for `sys.path` with a package that offers one metric by an entry point."""
    package, dist = tmp_path / "harbour", tmp_path / "harbour-1.2.dist-info"
    package.mkdir()
    dist.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('listing a plug-in imports nothing')\n")
    (package / "tide.py").write_text(
        textwrap.dedent('''
            """Share of rows answered at high tide.

            Only an example.
            """
            from pydantic import Field
            from seatrial.contracts.part import PartOptions

            NEEDS = ("lighthouse",)

            class Options(PartOptions):
                """When."""

                hour: int = Field(default=12, description="hour of high tide")
        ''')
    )
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: harbour\nVersion: 1.2\n")
    (dist / "entry_points.txt").write_text("[seatrial.parts]\nmetrics.tide = harbour.tide\n")
    return tmp_path


def _with(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "seatrial", *words],
        env={"PYTHONPATH": f"{folder}:{HOME.parent}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_plug_in_is_listed_without_being_imported(plug_in: Path) -> None:
    listed = json.loads(_with(plug_in, "parts", "metrics", "--json"))["metrics"]
    tide = next(part for part in listed if part["name"] == "tide")
    assert tide["description"] == "Share of rows answered at high tide."
    assert (tide["source"], tide["missing"]) == ("harbour", ["lighthouse"])
    assert tide["install"] == "pip install lighthouse"
    assert "tide" in _with(plug_in, "parts")


def test_a_plug_in_is_explained(plug_in: Path) -> None:
    (plug_in / "harbour" / "__init__.py").write_text("")
    text = _with(plug_in, "explain", "tide")
    assert "Only an example." in text
    assert "hour of high tide" in text
    assert "harbour" in text


# --- sizes -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES.keys())
def test_files_and_functions_stay_small(module: Module) -> None:
    assert ast.get_docstring(module.tree), "every file says what it is"
    assert len(module.file.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            first = body[0].lineno if body else node.lineno
            lines = (node.end_lineno or node.lineno) - first + 1
            assert lines <= LONGEST_FUNCTION, f"{module.name}.{node.name} has {lines} lines"


def test_each_test_file_has_a_name_of_its_own() -> None:
    names = [file.name for file in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names)), "pytest imports test files by name alone"
