import pytest
from allennlp.data import Token, Vocabulary
from allennlp.data.fields import TextField

from roseq_allennlp.data.tags_field import TagsField


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
