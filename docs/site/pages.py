"""
MkDocs hook: what the site shows besides the pages of docs/. Pages of the repository's root and of benchmarks/ are taken
as they are, and each layer of the package has a page of its modules. Links between files of the repository become links
between pages.
"""

import os
import re
import sys
from pathlib import Path
from typing import Optional

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PACKAGE = "roseq_allennlp"

# Page of the site, and the file of the repository that it shows.
PAGES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "benchmarks.md": "benchmarks/README.md",
    "benchmark_results.md": "benchmarks/results/cpu.md",
}
LINK = re.compile(r"\[([^\]]+)\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def layers() -> list[str]:
    """The layers of the import contract, top down."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    return [name for layer in contract["contracts"][0]["layers"] for name in layer.split(" | ")]


def modules(layer: str) -> list[str]:
    """Dotted names of the modules of a layer, a file or a folder."""
    path = ROOT / PACKAGE / layer
    files = [path.with_suffix(".py")] if path.with_suffix(".py").is_file() else sorted(path.rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return [name for name in names if not name.endswith("__init__")]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    pages = [{layer: f"api/{layer}.md"} for layer in layers()]
    config.nav.insert(2, {"API, top layer first": pages})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for layer in layers():
        text = f"# {layer}\n\n" + "\n\n".join(f"::: {name}" for name in modules(layer))
        files.append(File.generated(config, f"api/{layer}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    source = PAGES.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def link(match: re.Match) -> str:
        text, target, anchor = match.groups(default="")
        path = os.path.normpath(os.path.join(os.path.dirname(source), target))
        address = address_of(path, anchor)
        if address is None:
            return text if Path(target).name in text else f"{text} (`{path}`)"
        return f"[{text}]({os.path.relpath(address, os.path.dirname(page.file.src_uri) or '.')})"

    return LINK.sub(link, markdown)


def address_of(path: str, anchor: str) -> Optional[str]:
    """Page of the site, and place on it, that shows a file of the repository; `None` if no page does."""
    pages = {source: page for page, source in PAGES.items()}
    if not (ROOT / path).exists():
        raise FileNotFoundError(f"A page links to {path}, which does not exist.")
    if path in pages:
        return pages[path] + anchor
    if path.startswith("docs/"):
        return path.removeprefix("docs/") + anchor
    if path.startswith(f"{PACKAGE}/") and path.endswith(".py"):
        name = path.removesuffix(".py").replace("/", ".")
        return f"api/{name.split('.')[1]}.md#{name}"
    return None
