from types import SimpleNamespace

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from roseq_allennlp.data.dataset_readers import WnutReader
from roseq_allennlp.data.token_indexers import FoldedWordsIndexer
from roseq_allennlp.training.callbacks import VectorCoverageCallback


def trainer(sentences: dict[str, list[str]], indexer: str = "tokens") -> SimpleNamespace:
    reader = WnutReader(token_indexers={indexer: FoldedWordsIndexer()})

    def loader(texts: list[str]) -> SimpleNamespace:
        instances = [reader.text_to_instance(text.split()) for text in texts]
        for instance in instances:
            reader.apply_token_indexers(instance)
        return SimpleNamespace(iter_instances=lambda: iter(instances))

    vocab = Vocabulary(tokens_to_add={"tokens": ["fog", "oslo", "0"]})
    return SimpleNamespace(
        data_loader=loader(sentences["training"]),
        _validation_data_loader=loader(sentences["development"]) if "development" in sentences else None,
        model=SimpleNamespace(vocab=vocab),
    )


def test_tokens_and_words_without_a_vector_are_counted(capsys, caplog) -> None:
    """`Fog` and the number have one, by their folded forms."""
    sentences = {"training": ["Fog in Oslo in 7 days", "in Narvik"], "development": ["fog Oslo"]}
    with caplog.at_level("INFO"):
        VectorCoverageCallback("").on_start(trainer(sentences))
    assert capsys.readouterr().err.splitlines() == [
        "No word vector for 62.5% of training tokens and 50.0% of words: in, Narvik, days",
        "No word vector for 0.0% of development tokens and 0.0% of words",
    ]
    assert "training data: 5 of 8 tokens and 3 of 6 words have none" in caplog.text


def test_examples_are_as_many_as_a_line_has_room_for(capsys) -> None:
    words = ["a" * 8, "b" * 30, "c"]
    VectorCoverageCallback("").on_start(trainer({"training": [" ".join(words)]}))
    assert capsys.readouterr().err == "No word vector for 100.0% of training tokens and 100.0% of words: aaaaaaaa\n"


@pytest.mark.parametrize("primary, said", [(True, 1), (False, 0)])
def test_the_primary_process_alone_says_so(primary, said, capsys) -> None:
    VectorCoverageCallback("").on_start(trainer({"training": ["Fog"]}), primary)
    assert len(capsys.readouterr().err.splitlines()) == said


def test_empty_data_has_no_share(capsys) -> None:
    VectorCoverageCallback("").on_start(trainer({"training": []}))
    assert capsys.readouterr().err == "Word vectors: no sentences in the training data.\n"


def test_another_indexer_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="no token indexer 'tokens', only .'words'"):
        VectorCoverageCallback("").on_start(trainer({"training": ["Fog"]}, "words"))
    VectorCoverageCallback("", indexer="words").on_start(trainer({"training": ["Fog"]}, "words"))
