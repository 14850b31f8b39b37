"""Shows how the code is cut: `python tools/layout/layout.py [ROOT]`, ROOT being a checkout, this one unless given.

For each root its packages by floor, the highest first, with modules and lines; a package's floor is one above the
highest that it imports from. Below that: packages with more than 12 modules, arrows up between the roots, and cycles
between packages. Imports inside functions count like others. The exit code is 1 where one of the three is found.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[2]
# The roots, the lowest first, and the folder that each lies in.
ROOTS: Final = {
    "jitr": "lambda",
    "jitr_fleet": "fleet",
    "jitr_infra": "infra",
    "jitr_local": "local",
    "jitr_cli": "cli",
}
MOST_MODULES: Final = 12


@dataclass(frozen=True, kw_only=True)
class Module:
    """One file with code; `package` is the folder that it lies in, `imports` are modules of the roots."""

    package: str
    lines: int
    imports: Set[str]


@dataclass(kw_only=True)
class Layout:
    """What was found: every module by its dotted name, and every package by the packages that it imports from."""

    modules: dict[str, Module] = field(default_factory=dict)
    arrows: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def packages(self, root: str) -> dict[str, list[Module]]:
        """Return the packages of a root that hold code, with their modules."""
        found: dict[str, list[Module]] = defaultdict(list)
        for module in self.modules.values():
            if _root(module.package) == root:
                found[module.package].append(module)
        return found

    def crowded(self) -> list[str]:
        """Return the packages with too many modules."""
        return [name for root in ROOTS for name, modules in self.packages(root).items() if len(modules) > MOST_MODULES]

    def upward(self) -> list[str]:
        """Return the imports that lead from a lower root to a higher one."""
        order = list(ROOTS)
        return sorted(
            f"{name} -> {other}"
            for name, module in self.modules.items()
            for other in module.imports
            if order.index(_root(name)) < order.index(_root(other))
        )

    def cycle(self) -> list[str]:
        """Return the packages of one cycle, empty where there is none."""
        try:
            TopologicalSorter(self.arrows).prepare()
        except CycleError as error:
            return [str(each) for each in error.args[1]]
        return []

    def floors(self) -> Mapping[str, int]:
        """Return how high each package lies, 1 for one that imports from no other; only without a cycle."""
        found: dict[str, int] = {}
        for package in TopologicalSorter(self.arrows).static_order():
            found[package] = 1 + max((found[below] for below in self.arrows.get(package, ())), default=0)
        return found


def read_layout(checkout: Path) -> Layout:
    """Return how a checkout is cut; raises SyntaxError for a file that is no Python."""
    files = {name: file for root in ROOTS for name, file in _files(checkout / ROOTS[root], root)}
    layout = Layout()
    for name, file in files.items():
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text, filename=str(file))
        if file.name == "__init__.py" and len(tree.body) <= 1:
            continue
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        imports = {each for each in _imports(tree) if each in files and each != name}
        layout.modules[name] = Module(package=package, lines=len(text.splitlines()), imports=imports)
        below = {each if files[each].name == "__init__.py" else each.rpartition(".")[0] for each in imports}
        layout.arrows[package] |= below - {package}
    return layout


def _files(source: Path, root: str) -> Iterator[tuple[str, Path]]:
    for file in sorted((source / root).rglob("*.py")):
        parts = file.relative_to(source).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield every name that an import may mean: of `from a import b` both a.b and a; the caller knows what exists."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _root(name: str) -> str:
    return name.partition(".")[0]


def main(checkout: Path) -> int:
    """Print it; returns the exit code."""
    layout = read_layout(checkout)
    crowded, upward, cycle = layout.crowded(), layout.upward(), layout.cycle()
    floors = {} if cycle else layout.floors()
    for root in reversed(ROOTS):
        packages = layout.packages(root)
        sys.stdout.write(f"{root}: {len(packages)} packages\n")
        for name in sorted(packages, key=lambda each: (-floors.get(each, 0), each)):
            lines = sum(module.lines for module in packages[name])
            sys.stdout.write(
                f"  floor {floors.get(name, 0):2}  {name:40} {len(packages[name]):3} modules {lines:6} lines\n"
            )
    for words, found in (
        (f"packages with more than {MOST_MODULES} modules", crowded),
        ("arrows up between the roots", upward),
        ("a cycle between packages", cycle),
    ):
        sys.stdout.write(f"{words}: {', '.join(found) or 'none'}\n")
    return int(bool(crowded or upward or cycle))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOUT))
