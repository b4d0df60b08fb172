"""Partly annotated data through all of training and evaluation: an ensemble with all callbacks, and the commands."""

import json
import logging

import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params

from roseq_allennlp.data.dataset_readers import WnutReader
from roseq_allennlp.data.label_statistics import count_labels, label_weights
from roseq_allennlp.evaluation.tagged_data import score_of, tag_file
from roseq_allennlp.models.archive import load_archive

TRAIN, DEV = "fixtures/wnut17/wnut17train.conll", "fixtures/wnut17/emerging.dev.conll"


def hide(path, to, every):
    """A copy of a file of columns in which every nth tag is unknown, and all of the second sentence."""
    lines, sentence = [], 1
    for number, line in enumerate(open(path, encoding="utf-8").read().splitlines()):
        word, _, tag = line.partition("\t")
        sentence += not word
        lines.append(f"{word}\t{'?' if sentence == 2 or number % every == 0 else tag}" if word else "")
    to.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return to


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The directory of a run, and its data."""
    directory = tmp_path_factory.mktemp("partial")
    train, dev = hide(TRAIN, directory / "train.conll", 5), hide(DEV, directory / "dev.conll", 7)
    config = Params.from_file("training_configs/fixture.jsonnet").as_dict(quiet=True)
    config.update(train_data_path=str(train), validation_data_path=str(dev))
    config["model"] = {"type": "tagger_ensemble", "size": 2, "member": config["model"]}
    callbacks = [{"type": "augmentation"}, {"type": "vector_coverage"}]
    config["trainer"]["callbacks"] = [c for c in config["trainer"]["callbacks"] if c not in callbacks] + callbacks
    config["trainer"].update(num_epochs=3, num_gradient_accumulation_steps=2)
    del config["vocabulary"]["tokens_to_add"]  # the labels are those of the training data
    train_model(Params(config), str(directory / "run"))
    return directory / "run", train, dev


def test_the_archive_has_no_unknown_label_and_counts_known_tags(trained):
    run, train, dev = trained
    archive = load_archive(run)
    labels = archive.model.vocab.get_token_to_index_vocabulary("labels")
    counts = count_labels(WnutReader().read(str(train)), "labels")
    assert "?" not in labels and labels.keys() == counts.keys()
    weights = label_weights(counts, 0.25)
    for member in archive.model.members:
        assert member.crf.label_weights.tolist() == pytest.approx([weights[label] for label in labels], rel=1e-5)
    metrics = json.loads((run / "metrics.json").read_text())
    result = score_of(tag_file(archive, dev))
    assert metrics["best_validation_f1-measure-overall"] == pytest.approx(result.overall.f1 / 100)
    assert metrics["best_validation_accuracy"] == pytest.approx(result.accuracy / 100)
    assert 0 < metrics["training_adversarial_loss"] < 1000


@pytest.mark.parametrize("command", ["report", "compare", "noise", "predict", "evaluate"])
def test_commands_on_partly_annotated_data(trained, roseq, archive_path, tmp_path, command):
    """With an archive that was trained on it, and with an older one."""
    run, _, dev = trained
    unknown = dev.read_text(encoding="utf-8").count("\t?")
    arguments = {
        "report": [run, dev, "-o", tmp_path / "report.html", "--against", archive_path, "--train", dev],
        "compare": [run, archive_path, dev],
        "noise": [archive_path, dev, "--levels", "0,0.1", "-o", tmp_path / "noise.svg"],
        "predict": [archive_path, dev, "--output-format", "columns"],
        "evaluate": [archive_path, dev, "--output-file", tmp_path / "metrics.json"],
    }[command]
    result = roseq(command, *arguments)
    assert result.status == 0, result.errors
    tagged = tag_file(load_archive(archive_path), dev)
    if command == "report":
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert f"and {unknown} of unknown tag" in page and "<th>?</th>" not in page
    if command == "predict":
        path = tmp_path / "tagged.txt"
        path.write_text(result.output, encoding="utf-8")
        assert f"processed {sum(len(s.gold) for s in tagged) - unknown} tokens" in roseq("score", path).output
        scores = json.loads(roseq("score", path, "--json").output)
        assert scores["overall"]["f1"] == score_of(tagged).overall.f1 > 0
    if command == "evaluate":
        metrics = json.loads((tmp_path / "metrics.json").read_text())
        assert metrics["f1-measure-overall"] == pytest.approx(score_of(tagged).overall.f1 / 100)


def test_label_weights_count_known_tags(trained, roseq, tmp_path):
    _, train, _ = trained
    override = json.dumps({"train_data_path": str(train)})
    config, plot = "training_configs/fixture.jsonnet", tmp_path / "a.svg"
    result = roseq("label-weights", config, "-o", plot, "--overrides", override)
    known = sum(count_labels(WnutReader().read(str(train)), "labels").values())
    assert f"{known} tokens of the training split" in result.output and " ? " not in result.output


@pytest.mark.corpora
def test_the_real_corpora_have_no_unknown_tags(real_data, caplog):
    caplog.set_level(logging.INFO, "roseq_allennlp")
    for name in ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"):
        assert all(
            "?" not in instance["tags"].labels for instance in WnutReader().read(str(real_data / "wnut17" / name))
        )
    assert not any("unknown" in message for message in caplog.messages)
