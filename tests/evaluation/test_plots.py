import xml.etree.ElementTree as ElementTree

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.evaluation import plots


def draw(look=plots.LOOKS[0]):
    with plots.drawing() as (figure, axes):
        axes.bar(["a<b", "c"], [1, 2], color=look.color, hatch=look.hatch, edgecolor=plots.INK)
        axes.set_title("title")
        yield figure


@pytest.mark.parametrize("name", ["p.svg", "new/p.png", "p.PDF"])
def test_files(tmp_path, name):
    content = []
    for _ in range(2):
        for figure in draw():
            plots.save(figure, tmp_path / name)
        content.append((tmp_path / name).read_bytes())
    assert content[0] == content[1] and len(content[0]) > 1000
    assert content[0][:4] in (b"<?xm", b"\x89PNG", b"%PDF")


def test_in_a_page():
    for figure in draw():
        texts = [plots.inline_svg(figure, name, 'a "<description>"') for name in ("one", "two")]
    trees = [ElementTree.fromstring(text) for text in texts]
    assert trees[0].get("role") == "img" and trees[0].get("aria-label") == 'a "<description>"'
    ids = [{element.get("id") for element in tree.iter()} - {None} for tree in trees]
    assert ids[0] and not ids[0] & ids[1]
    assert plots.INK not in texts[0] and "currentColor" in texts[0] and ">title</text>" in texts[0]
    references = {part.split(")")[0] for part in texts[0].split("url(#")[1:]}
    assert references <= ids[0]


@pytest.mark.parametrize("name", ["plot", "plot.html"])
def test_other_formats_are_refused(name):
    with pytest.raises(ConfigurationError, match=r"\.svg, \.png, \.pdf"):
        plots.check_format(name)


def test_looks_differ_without_colour():
    assert len({(look.hatch, look.marker) for look in plots.LOOKS}) == len(plots.LOOKS)
