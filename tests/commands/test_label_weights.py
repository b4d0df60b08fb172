import json

import pytest
from allennlp.models.archival import load_archive

from roseq_allennlp.data.tag_schemes import bioes_to_bioul

CONFIG = "training_configs/fixture.jsonnet"


@pytest.fixture
def label_weights(roseq, tmp_path):
    """Runs the command; gives its result, and the cells of its table by tag."""

    def run(*arguments, config=CONFIG, output=tmp_path / "plot.svg"):
        result = roseq("label-weights", config, "-o", output, *arguments)
        lines = [line.split() for line in result.output.splitlines()]
        return result, {line[0]: line[1:] for line in lines if len(line) > 3 and "." in line[2]}

    return run


def test_they_are_those_of_a_training(label_weights, archive_path):
    model = load_archive(archive_path).model
    labels = model.vocab.get_index_to_token_vocabulary("labels")
    trained = {labels[index]: f"{weight:.5f}" for index, weight in enumerate(model.crf.label_weights.tolist())}
    result, cells = label_weights()
    assert result.status == 0 and model.tau == 0.25
    assert "τ = 0.125" in result.output and "τ = 0.25" in result.output and "τ = 0.5" in result.output
    of_config = {bioes_to_bioul([tag])[0]: cell[3] for tag, cell in cells.items()}
    assert of_config == trained and len(trained) == 25


def test_the_table(label_weights, tmp_path):
    result, cells = label_weights("--tau", "1,0")
    counts = {tag: int(cell[0]) for tag, cell in cells.items()}
    total = sum(counts.values())
    assert f"{total} tokens" in result.output
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    rarest = min(filter(None, counts.values()))
    for tag, (_, theta, *weights) in cells.items():
        ratio = counts["O"] / (counts[tag] or rarest)
        assert theta == f"{counts[tag] / total:.5f}"
        assert weights == [f"{ratio**tau:.5f}" for tau in (0, 0.25, 1)]
    assert 0 in counts.values() and "does not hold" in result.output
    picture = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    for text in (*cells, "τ = 0.25", "τ = 1"):
        assert f">{text}<" in picture


def test_all_tags_of_a_large_label_set(label_weights, tmp_path):
    _, cells = label_weights(config="training_configs/roseq_wnut16.jsonnet", output=tmp_path / "new" / "plot.png")
    assert len(cells) == 41 and (tmp_path / "new" / "plot.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    "model, remark", [({"tau": None}, "sets no `tau`"), ({"tau": None, "label_weights": {"O": 2}}, "`label_weights`")]
)
def test_a_config_without_tau(label_weights, model, remark):
    overrides = {f"model.{key}": value for key, value in model.items()}
    result, cells = label_weights("--overrides", json.dumps(overrides))
    assert remark in result.output and "0.25" in result.output
    assert cells == label_weights()[1]


def test_undeclared_types(label_weights):
    overrides = {"vocabulary.tokens_to_add.labels": ["O", "U-person", "U-locaton", "U-group", "U-product"]}
    result, _ = label_weights("--overrides", json.dumps(overrides))
    assert "does not declare: 'corporation', 'creative-work', 'location' ('locaton' is close).\n" in result.output
    assert "does not declare" not in label_weights()[0].output


def test_overrides(label_weights):
    overrides = {"model.tau": 1, "train_data_path": "corpus://conll2002-nl/train", "dataset_reader.type": "conll2002"}
    overrides["vocabulary.tokens_to_add"] = {}
    result, cells = label_weights("--overrides", json.dumps(overrides))
    assert "τ = 0.5" in result.output and "τ = 2" in result.output
    assert {tag[2:] for tag in cells} == {"", "LOC", "MISC", "ORG", "PER"}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--tau=-1,1"], "at least 0; got -1"),
        (["--tau", "a,b"], "'a,b'"),
        (["--tau", "1"], "'1' is not two numbers"),
        (["--overrides", '{"model.tau": -1}'], "at least 0; got -1"),
        (["--overrides", '{"model.tau": "much"}'], "`model.tau` must be a number of at least 0, or null; got 'much'"),
        (["--overrides", "{x"], "cannot be read"),
        (["--overrides", '{"no.such.key": 1}'], "no.such.key"),
        (["--overrides", '{"train_data_path": null}'], "`train_data_path`"),
        (["--overrides", '{"train_data_path": "nowhere"}'], "nowhere: no such file"),
        (["--overrides", '{"train_data_path": "fixtures/sentences.txt"}'], "columns"),
        (["-o", "plot.txt"], ".svg"),
    ],
)
def test_errors(label_weights, arguments, message):
    result, _ = label_weights(*arguments)
    assert result.status == 1 and result.output == ""
    assert (
        message in result.errors
        and "roseq label-weights: error: " in result.errors
        and "Traceback" not in result.errors
    )


@pytest.mark.parametrize("text", [None, "[1]", "{", "local x = error 'no';\nx"])
def test_what_is_no_config(label_weights, tmp_path, text):
    path = tmp_path / "config.jsonnet"
    if text is not None:
        path.write_text(text)
    result, _ = label_weights(config=path)
    assert result.status == 1 and "config.jsonnet: cannot be read" in result.errors
    assert len(result.errors.splitlines()) == 1


def test_parts_of_a_config_may_be_names_or_null(label_weights, tmp_path):
    path = tmp_path / "config.json"
    config = {"dataset_reader": "wnut", "train_data_path": "corpus://wnut17/train", "model": "any", "vocabulary": None}
    path.write_text(json.dumps(config))
    result, cells = label_weights(config=path)
    assert result.status == 0 and "sets no `tau`" in result.output and "O" in cells


def test_the_weights_of_wnut17(label_weights, real_data):
    result, cells = label_weights(config="training_configs/roseq_wnut17.jsonnet")
    assert cells["O"] == ["59570", "0.94963", "1.00000", "1.00000", "1.00000"]
    assert cells["I-corporation"] == ["10", "0.00016", "2.96400", "8.78531", "77.18160"]
