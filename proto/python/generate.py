#!/usr/bin/env python3
"""Generates `dunghen.v1` from the schemas in proto/dunghen/v1, with grpcio-tools.

`pip install` does this by itself. Run it by hand to work on the package without installing it.
"""

from __future__ import annotations

import shutil
import sys
from importlib.resources import as_file, files
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROTOS = HERE.parent
PACKAGE = Path("dunghen/v1")


def generate() -> None:
    """Writes src/dunghen/v1 anew. Away from the schemas, what came with the package is left as it is."""
    schemas = sorted((PROTOS / PACKAGE).glob("*.proto"))
    target = HERE / "src" / PACKAGE
    if not schemas:
        if (target / "__init__.py").exists():
            return
        raise SystemExit(f"no schemas in {PROTOS / PACKAGE}")

    from grpc_tools import protoc  # type: ignore[import-untyped]

    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    out = HERE / "src"
    with as_file(files("grpc_tools") / "_proto") as well_known:
        status = protoc.main(
            [
                "protoc",
                f"--proto_path={PROTOS}",
                f"--proto_path={well_known}",
                f"--python_out={out}",
                f"--pyi_out={out}",
                f"--grpc_python_out={out}",
                *(str(schema) for schema in schemas),
            ]
        )
    if status != 0:
        raise SystemExit(f"protoc failed with status {status}")
    (target / "__init__.py").write_text('"""Generated from proto/dunghen/v1."""\n', encoding="utf-8")


if __name__ == "__main__":
    generate()
    sys.exit(0)
