"""How large the functions' bundle is, as it is deployed (arm64, Lambda's Python), zipped and unzipped, by package.

Beside it the same wheels as their authors ship them; the floor is cryptography alone, which nothing here can do without
(Lambda's runtime has none).
"""

from __future__ import annotations

import tempfile
import zipfile
from collections import Counter
from pathlib import Path

from bench.figures import Figure, begin, figure, write
from jitr.settings import Configuration
from jitr_infra.functions.bundle import build_bundle, fetch_whole_wheels
from jitr_infra.parts.build_target import BuildTarget

MEGABYTE = 1_000_000
LARGEST = 5


def sizes(folder: Path) -> Counter[str]:
    """Return the bytes of a bundle by the name at its root; a distribution's own records count as one."""
    found: Counter[str] = Counter()
    for file in folder.rglob("*"):
        if file.is_file():
            root = file.relative_to(folder).parts[0]
            found["licences and metadata" if root.endswith(".dist-info") else root] += file.stat().st_size
    return found


def zipped(folder: Path, only: str = "*") -> int:
    """Return the bytes of a zip of the folders and files at the root whose names match `only`."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for root in sorted(folder.glob(only)):
                for path in [root] if root.is_file() else sorted(root.rglob("*")):
                    archive.write(path, path.relative_to(folder))
        return file.tell()


def measure(bundle: Path, whole: Path) -> list[Figure]:
    """Return the figures of a bundle, beside the wheels as they are shipped."""
    ours, theirs = sizes(bundle), sizes(whole)
    floor = "cryptography"
    beside = "peer: the wheels as shipped; floor: cryptography alone"
    figures = [
        figure(
            "bundle, unzipped (AWS allows 262)",
            ours.total() / MEGABYTE,
            "MB",
            peer=theirs.total() / MEGABYTE,
            floor=ours[floor] / MEGABYTE,
            beside=beside,
            promise="< 31 MB",
        ),
        figure(
            "bundle, zipped (AWS allows 52)",
            zipped(bundle) / MEGABYTE,
            "MB",
            peer=zipped(whole) / MEGABYTE,
            floor=zipped(bundle, floor) / MEGABYTE,
            beside=beside,
        ),
    ]
    for name, size in ours.most_common(LARGEST):
        peer = theirs[name] / MEGABYTE if name in theirs else None
        figures.append(figure(f"of it {name}", size / MEGABYTE, "MB", peer=peer, beside="peer: as shipped"))
    return figures


def main() -> None:
    """Build, measure, print and write the figures."""
    begin()
    with tempfile.TemporaryDirectory() as folder:
        bundle, whole = Path(folder) / "bundle", Path(folder) / "whole"
        bundle.mkdir()
        build_bundle(bundle, configuration=Configuration(deployment="bench"), target=BuildTarget())
        fetch_whole_wheels(whole, BuildTarget())
        write("bundle", measure(bundle, whole))


if __name__ == "__main__":
    main()
