"""
Executes docs/notebooks/quickstart.ipynb in a copy of what it needs. `python -m tests.notebooks` does so and keeps the outputs in
the notebook, without paths of the machine, and without those of cells with the tag `large-output`.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
QUICKSTART = ROOT / "docs" / "notebooks" / "quickstart.ipynb"
_COLOURS = re.compile(r"\x1b\[[\d;]*m")


def executed(notebook: nbformat.NotebookNode, clone: Path) -> nbformat.NotebookNode:
    """A copy of the notebook with new outputs, run in `clone/docs/notebooks` by this Python and no kernel installed elsewhere."""
    folder = clone / "docs" / "notebooks"
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "fixtures", clone / "fixtures")
    notebook = nbformat.from_dict(notebook)
    kernel = KernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=600,
        startup_timeout=300,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    commands = str(Path(sys.executable).parent)  # where `roseq` is
    paths = {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return client.execute(env={**os.environ, **paths})


def keep(notebook: nbformat.NotebookNode, clone: Path) -> str:
    """The notebook as it is committed."""
    notebook.metadata = {"language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {"tags": cell.metadata.tags} if "tags" in cell.metadata else {}
        if cell.cell_type == "code" and "large-output" in cell.metadata.get("tags", []):
            cell.outputs = []
    text = nbformat.writes(notebook)
    return _COLOURS.sub("", text.replace(f"{clone}/", ""))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary).resolve() / "clone"
        result = executed(nbformat.read(QUICKSTART, 4), copy)
        QUICKSTART.write_text(keep(result, copy), encoding="utf-8")
