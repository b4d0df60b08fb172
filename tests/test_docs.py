"""The documentation site: built as `make docs` builds it, without a network, and complete."""

import ast
import inspect
import re
import socket

import pytest
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Registrable
from click.testing import CliRunner
from mkdocs.__main__ import cli

import roseq_allennlp
from roseq_allennlp.commands.table import OWN, command

COMPONENTS = {
    name: cls
    for names in Registrable._registry.values()
    for name, (cls, _) in names.items()
    if cls.__module__.startswith("roseq_allennlp.") and not issubclass(cls, Subcommand)
}


@pytest.fixture(scope="module")
def site(repository, tmp_path_factory):
    def refuse(*arguments):
        raise AssertionError(f"the build of the site opens a connection: {arguments[1:]}")

    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository)
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        patch.setattr(socket.socket, "connect", refuse)
        result = CliRunner().invoke(cli, ["build", "--strict", "--site-dir", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


def page(site, layer):
    return (site / f"api/{layer}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", OWN)
def test_each_command_has_an_entry(site, name):
    cls = type(command(name))
    assert page(site, "commands").count(f'id="{cls.__module__}.{cls.__qualname__}"') == 1
    assert f"<code>roseq {name} " in (site / "commands.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMPONENTS)
def test_each_registered_component_has_an_entry(site, name):
    cls = COMPONENTS[name]
    heading = f'id="{cls.__module__}.{cls.__qualname__}"'
    html = page(site, cls.__module__.split(".")[1])
    assert html.count(heading) == 1
    entry = html.split(heading)[1].split('class="doc doc-object doc-class"')[0]
    assert f"Registered as <code>{name}</code>" in entry
    for parameter in re.findall(r"^(\w+) : ", inspect.getdoc(cls) or "", re.MULTILINE):
        assert f"<dt>{parameter} : " in entry


def test_each_module_has_an_entry(site, repository):
    package = repository / roseq_allennlp.__name__
    for path in package.rglob("*.py"):
        if not path.name.startswith("__"):
            parts = path.relative_to(repository).with_suffix("").parts
            assert f'id="{".".join(parts)}"' in page(site, parts[1])


def test_the_picture_of_the_layers_is_the_contract(repository):
    contract = re.search(
        r"^layers = (\[.*?\n\])", (repository / "pyproject.toml").read_text(), re.DOTALL | re.MULTILINE
    )
    assert contract is not None
    picture = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Layers")[1].split("```")[1]
    names = [re.sub(r"  .*", "", line.strip()) for line in picture.splitlines() if re.match(r"  \w", line)]
    layers = [layer.replace(" | ", " │ ") for layer in ast.literal_eval(contract[1])]
    assert names == layers


def test_pages_load_nothing_from_elsewhere(site):
    for path in site.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="(?:\w+:)?//', html), path
        links = re.findall(r"<link\s[^>]*>", html)
        assert not [link for link in links if re.search(r'href="(?:\w+:)?//', link)], path


def test_links_between_files_of_the_repository_are_links_between_pages(site):
    html = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="archives.html"' in html and 'href="benchmarks.html"' in html
    evaluation = (site / "evaluation.html").read_text(encoding="utf-8")
    assert 'href="api/scoring.html#roseq_allennlp.scoring.conlleval"' in evaluation
    assert not re.findall(r'href="[^"]*\.(?:md|py)[#"]', html + evaluation)
