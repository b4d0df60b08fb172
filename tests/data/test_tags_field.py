import pytest
from allennlp.data import Instance, Token, Vocabulary
from allennlp.data.fields import TextField

from roseq_allennlp.data.tags_field import UNKNOWN_ID, TagsField
from roseq_allennlp.nn.forward_backward import UNKNOWN


@pytest.mark.parametrize(
    "known, indexed",
    [
        ("O U-LOC B-PER L-PER U-ORG", "B-PER L-PER O U-LOC U-ORG"),
        ("O U-LOC B-PER L-PER", "B-PER L-PER O U-LOC O"),
        ("O U-LOC B-PER", "O O O U-LOC O"),  # the whole entity, also where one of its tags is known
        ("O", "O O O O O"),
    ],
)
def test_entities_with_a_tag_that_the_vocabulary_lacks_are_o(known, indexed):
    tags = "B-PER L-PER O U-LOC U-ORG".split()
    vocab = Vocabulary(tokens_to_add={"labels": known.split()})
    field = TagsField(tags, TextField([Token("a")] * 5), "labels")
    field.index(vocab)
    ids = field.as_tensor({"num_tokens": 7}).tolist()
    assert [vocab.get_token_from_index(index, "labels") for index in ids[:5]] == indexed.split() and ids[5:] == [0, 0]
    assert field.labels == tags and vocab.get_vocab_size("labels") == len(known.split())


def test_without_an_o_it_is_an_error_as_before():
    field = TagsField(["U-LOC"], TextField([Token("a")]), "labels")
    with pytest.raises(KeyError, match="'U-LOC' not found in vocab namespace 'labels'"):
        field.index(Vocabulary(tokens_to_add={"labels": ["U-PER"]}))


@pytest.mark.parametrize(
    "tags, known, indexed",
    [
        ("? U-LOC ? O", "O U-LOC", "? U-LOC ? O"),
        ("? ? ? ?", "O", "? ? ? ?"),
        ("? U-LOC ? ?", "U-LOC", "? U-LOC ? ?"),
        ("B-ORG L-ORG ? U-LOC", "O U-LOC", "O O ? U-LOC"),  # a type that the vocabulary lacks
        ("B-PER ? L-PER O", "O B-PER L-PER", "B-PER ? L-PER O"),
    ],
)
def test_an_unknown_tag_has_an_id_of_its_own_and_is_no_label(tags, known, indexed):
    field = TagsField(tags.split(), TextField([Token("a")] * 4), "labels")
    vocab = Vocabulary(tokens_to_add={"labels": known.split()})
    field.index(vocab)
    ids = field.as_tensor({"num_tokens": 6}).tolist()
    names = {**vocab.get_index_to_token_vocabulary("labels"), UNKNOWN_ID: "?"}
    assert [names[index] for index in ids[:4]] == indexed.split() and ids[4:] == [0, 0] and UNKNOWN_ID == UNKNOWN
    counts = Vocabulary.from_instances([Instance({"tags": TagsField(tags.split(), field.sequence_field, "labels")})])
    assert set(counts.get_token_to_index_vocabulary("labels")) == set(tags.split()) - {"?"}


def test_a_missing_type_without_an_o_is_named_beside_unknown_tags():
    field = TagsField(["?", "U-LOC"], TextField([Token("a")] * 2), "labels")
    with pytest.raises(KeyError, match="'U-LOC' not found"):
        field.index(Vocabulary(tokens_to_add={"labels": ["U-PER"]}))
