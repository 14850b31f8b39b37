"""What a row of the CRL check's measurements comes to: the wide table, and the figures that all measurements share."""

from __future__ import annotations

from typing import Any

from bench.figures import Figure, figure

LARGE = 1_000_000  # entries


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print what was measured and the ratios that are promised."""
    columns = list(rows[0])
    print("  ".join(columns))
    for row in rows:
        cells = [f"{row[name]:.2f}" if isinstance(row[name], float) else str(row[name]) for name in columns]
        print("  ".join(cell.rjust(len(name)) for cell, name in zip(cells, columns, strict=True)))
    for row in rows:
        print(f"{row['key']} {row['entries']:,}: " + "; ".join(ratios(row)))


def ratios(row: dict[str, Any]) -> list[str]:
    """Return what the project promises, as measured in one row."""
    return [
        f"first decision {row['first_ms'] / row['floor_ms']:.1f} x the floor",
        f"{row['plain_ms'] / row['first_ms']:.1f} x faster than plain",
        f"peak {row['peak_mb'] - row['crl_megabytes']:+.1f} MB beside the CRL",
        f"process {row['process_peak_mb'] - row['crl_megabytes']:.0f} MB beside it",
        f"(PEM {row['process_pem_peak_mb'] - row['pem_megabytes']:.0f})",
        f"{row['openssl_process_ms'] / row['jitr_process_ms']:.1f} x faster than openssl",
    ]


def figures(row: dict[str, Any]) -> list[Figure]:
    """Return what one row came to, beside floor and peer."""
    about = f"{row['key']}, {row['entries']:,} entries"
    return [
        figure(
            f"first decision on a new CRL, {about}",
            row["first_ms"],
            "ms",
            floor=row["floor_ms"],
            beside="floor: one SHA-256 pass, the signature, one search",
            promise="<= 4",
        ),
        figure(
            f"the same beside cryptography alone, {about}",
            row["first_ms"],
            "ms",
            peer=row["plain_ms"],
            beside="peer: load, is_signature_valid, look the serial number up",
        ),
        figure(
            f"next decision on that CRL, {about}", row["next_ms"], "ms", beside="floor: as above", floor=row["floor_ms"]
        ),
        figure(
            f"jitr crl check, process, {about}",
            row["jitr_process_ms"],
            "ms",
            peer=row["openssl_process_ms"],
            beside="peer: openssl verify -crl_check",
            # Python takes longer to start than openssl takes for a small CRL; it is large ones that count.
            promise="<= 0.25" if row["entries"] >= LARGE else "",
        ),
        figure(
            f"peak memory of jitr crl check above its PEM file, {about}",
            row["process_pem_peak_mb"] - row["pem_megabytes"],
            "MB",
            beside=f"{row['process_peak_mb'] - row['crl_megabytes']:.0f} MB above a DER file",
            promise="<= 110 MB",
        ),
        figure(
            f"peak memory of a decision above its imports, {about}",
            row["peak_mb"],
            "MB",
            peer=row["plain_peak_mb"],
            floor=row["crl_megabytes"],
            beside="peer: cryptography alone; floor: the CRL",
        ),
    ]
