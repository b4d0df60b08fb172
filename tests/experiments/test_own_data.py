import pytest

from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.experiments.own_data import roles_of


@pytest.mark.parametrize(
    "paths, roles",
    [
        (["wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"], "train dev test"),
        (["ned.testb", "ned.testa", "ned.train"], "test dev train"),
        (["valid.txt", "a/training.txt.gz"], "dev train"),
        (["TestSet.json", "TrainSet.json", "dev_data.json"], "test train dev"),
        (["train/ner.conll", "dev/ner.conll"], "train dev"),
        (["latest.conll", "train.conll"], "dev train"),
        (["test/train.conll", "test/ner.conll"], "train dev"),
        (["corpus://wnut17/train", "corpus://wnut17/dev"], "train dev"),
        (["all.conll", "test.conll"], "train test"),
        (["a/ner.conll", "b/ner.conll"], "train dev"),
        (["1.conll", "2.conll", "3.conll"], "train dev test"),
        (["test.conll"], "train"),
        (["train/", "dev/"], "train dev"),
    ],
)
def test_names_tell_what_files_are_for(paths, roles):
    found, by_order = roles_of(paths)
    assert found == dict(zip(roles.split(), paths, strict=True))
    assert list(found) == sorted(found, key=["train", "dev", "test"].index)
    assert by_order == (paths[0] in ("a/ner.conll", "1.conll"))


@pytest.mark.parametrize(
    "paths, message",
    [
        (
            ["train1.conll", "train2.conll"],
            "by their names, train1.conll is for train, train2.conll is for train. Give one file",
        ),
        (["dev.conll", "test.conll"], "dev.conll is for dev, test.conll is for test"),
        (["a", "b", "c", "d"], "has 4 files"),
        (["a.conll", "./a.conll"], "a file is given twice"),
    ],
)
def test_names_that_do_not_tell_it(paths, message):
    with pytest.raises(ConfigurationError, match=message):
        roles_of(paths)
