import json
import re

import pytest

from roseq_allennlp.data.tag_schemes import bioul_to_bioes
from roseq_allennlp.evaluation.tagged_data import open_archive


@pytest.fixture
def table(roseq, tmp_path):
    def run(config, *arguments):
        status, output, errors = roseq("label-weights", config, "-o", tmp_path / "weights.svg", *arguments)
        assert status == 0, errors
        lines = output.splitlines()
        header = next(line for line in lines if line.startswith("tag "))
        rows = [line.split() for line in lines if re.match(r"(O|[BIES]-\S+) +\d", line)]
        return header, {row[0]: row[1:] for row in rows}, output

    return run


def test_they_are_the_weights_of_a_trained_archive(table, archive_path, tmp_path):
    archive = open_archive(archive_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(archive.config.as_dict(quiet=True)))
    header, rows, _ = table(config)
    tau = archive.config["model"]["tau"]
    assert [float(part.split("=")[1]) for part in header.split("ζ,")[1:]] == [tau / 2, tau, 2 * tau]
    labels = archive.model.vocab.get_index_to_token_vocabulary("labels")
    trained = {bioul_to_bioes([labels[i]])[0]: w for i, w in enumerate(archive.model.crf.label_weights.tolist())}
    assert rows.keys() == trained.keys()
    for tag, (count, theta, half, weight, double) in rows.items():
        assert float(weight) == pytest.approx(trained[tag], abs=6e-6)
        assert float(half) ** 4 == pytest.approx(float(weight) ** 2, rel=1e-4) == pytest.approx(float(double), rel=1e-4)
    tokens = sum(int(row[0]) for row in rows.values())
    assert all(f"{int(row[0]) / tokens:.5f}" == row[1] for row in rows.values())
    thetas = [float(row[1]) for row in rows.values()]
    assert thetas == sorted(thetas, reverse=True)
    picture = (tmp_path / "weights.svg").read_text(encoding="utf-8")
    assert f"τ = {tau:g}" in picture and "S-person" in picture


def test_others(table):
    header, _, output = table("training_configs/base_wnut17.jsonnet", "--tau", "0.1,1")
    assert "τ = 0.1 " in header and "τ = 0.25 " in header and "τ = 1" in header
    assert "sets no `tau`: all its weights are 1; τ = 0.25 is the paper's" in output
    header, rows, _ = table("training_configs/roseq_wnut17.jsonnet", "--overrides", '{"model.tau": 0}')
    assert "τ = 0 " in header and all(row[2] == "1.00000" for row in rows.values())
    override = '{"vocabulary.tokens_to_add.labels": ["O", "U-nothing"]}'
    _, rows, output = table("training_configs/roseq_wnut17.jsonnet", "--overrides", override)
    assert rows["S-nothing"][0] == "0" and rows["S-nothing"][3] == max(row[3] for row in rows.values())
    assert "has the largest weight of another" in output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["none.jsonnet"], "none.jsonnet: cannot be read as a training config"),
        (["{config}", "--overrides", '{"train_data_path": null}'], "has no `train_data_path`"),
        (["{config}", "--overrides", '{"train_data_path": "fixtures/none"}'], "fixtures/none: no such file"),
        (["{config}", "--overrides", '{"model.tau": -1}'], "tau must be"),
        (["{config}", "--tau", "a"], "--tau: 'a'"),
        (["{config}", "-o", "weights"], "pictures are written as"),
    ],
)
def test_errors(roseq, tmp_path, arguments, message):
    arguments = [
        each.format(config="training_configs/roseq_wnut17.jsonnet") if "{c" in each else each for each in arguments
    ]
    status, output, errors = roseq("label-weights", "-o", tmp_path / "w.svg", *arguments)
    assert (status, output) == (1, "") and errors.splitlines()[-1].startswith("label-weights: error: ")
    assert message in errors
