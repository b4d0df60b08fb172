"""New data that lacks types which the archive knows: where those are likely, nothing is known."""

import json

import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.training_mix import Sentence
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.models.finetuning import begin
from roseq_allennlp.models.finetuning_request import FineTuning
from roseq_allennlp.models.unannotated import with_unknown_tags

OLD = "fixtures/wnut17/wnut17train.conll"
TEXT = [["Marta", "Keller", "visited", "Oslo", "today"], ["we", "ate", "soup"]]


def lacking(path) -> str:
    path.write_text(
        "".join("".join(f"{word}\t{'B-meal' if word == 'soup' else 'O'}\n" for word in words) + "\n" for words in TEXT)
    )
    return str(path)


def test_it_is_unknown_where_the_tagger_thinks_of_a_missing_type(archive_path, tagger):
    archive = load_archive(archive_path)
    sentences = [Sentence(words, ["O"] * len(words)) for words in TEXT]
    marked = with_unknown_tags(sentences, archive, ["person", "location"])
    for (words, tags), answer in zip(marked, tagger.tag_many(TEXT), strict=True):
        likely = {i for entity in answer["entities"] for i in range(entity["start_token"], entity["end_token"])}
        assert likely <= {i for i, tag in enumerate(tags) if tag == "?"} < set(range(len(words))) | {-1}
    assert with_unknown_tags(sentences, archive, ["person", "location"], least=1.1) == sentences
    given = [Sentence(TEXT[0], ["O", "O", "O", "U-town", "O"])]
    assert with_unknown_tags(given, archive, ["location"], least=0.0)[0].tags == ["?", "?", "?", "U-town", "?"]


def test_by_default_with_replay(archive_path, tmp_path):
    request = FineTuning(str(archive_path), lacking(tmp_path / "new"), overrides={"trainer.num_epochs": 1})
    texts = {}
    for name, changes in {
        "without": {},
        "replay": {"replay": {OLD: 0.1}},
        "unknown": {"unmarked": "unknown"},
        "O": {"unmarked": "O", "replay": {OLD: 0.1}},
    }.items():
        begin(request._replace(**changes), tmp_path / name)
        texts[name] = (tmp_path / name / "wnut17train+new.conll").read_text(encoding="utf-8")
    assert "\t?" not in texts["without"] + texts["O"]
    assert "Oslo\t?" in texts["replay"] and "Oslo\t?" in texts["unknown"] and "soup\tS-meal" in texts["unknown"]
    assert json.loads((tmp_path / "unknown" / "finetune.json").read_text())["made"]["tokens of unknown tag"] > 0
    train_model(Params.from_file(tmp_path / "unknown" / "config.json"), str(tmp_path / "unknown"), recover=True)
    load_archive(tmp_path / "unknown" / "model.tar.gz")
    with pytest.raises(ConfigurationError, match="must be O or unknown"):
        begin(request._replace(unmarked="maybe"), tmp_path / "other")
