import json
import random

import pytest
import torch
from allennlp.commands.train import TrainModel, train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import prepare_environment
from allennlp.training.callbacks import TrainerCallback

CONFIG = "training_configs/fixture.jsonnet"
ALONE = [{"type": "label_statistics"}, {"type": "augmentation"}]
SEEN: list[list[str]] = []


@TrainerCallback.register("see_sentences")
class SeeSentences(TrainerCallback):
    def on_batch(self, trainer, batch_inputs, *args, is_training, **kwargs):
        SEEN[-1 if is_training else 0] += [
            " ".join(each["words"]) for batch in batch_inputs for each in batch["metadata"]
        ]

    def on_epoch(self, trainer, metrics, epoch, **kwargs):
        SEEN.append([])


def seen(directory, epochs=2, callbacks=ALONE, **overrides):
    """Words of the development sentences, and of the training sentences in each epoch."""
    SEEN[:] = [[], []]
    all_overrides = {
        "trainer.num_epochs": epochs,
        "trainer.callbacks": [*callbacks, {"type": "see_sentences"}],
        **overrides,
    }
    model = train_model(Params.from_file(CONFIG, json.dumps(all_overrides)), directory)
    return SEEN[0], SEEN[1:-1], model


def sentences(name, repository):
    text = (repository / "fixtures/wnut17" / name).read_text(encoding="utf-8")
    blocks = "\n".join(line if line.strip() else "" for line in text.splitlines()).split("\n\n")
    return sorted(
        " ".join(row.split("\t")[0] for row in block.strip().splitlines()) for block in blocks if block.strip()
    )


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"data_loader": {"type": "in_memory", "batch_sampler": {"type": "bucket", "batch_size": 8}}},
        {"trainer.num_gradient_accumulation_steps": 3},
    ],
    ids=["shipped", "bucketed", "accumulation"],
)
def test_each_epoch_has_the_sentences_and_new_variants(overrides, repository, tmp_path):
    dev, epochs, model = seen(tmp_path / "with", 3, **overrides)
    assert sorted(set(dev)) == sorted(set(sentences("emerging.dev.conll", repository)))
    own = sentences("wnut17train.conll", repository)
    variants = []
    for epoch in epochs:
        assert len(epoch) == 2 * len(own)
        rest = list(epoch)
        for sentence in own:
            rest.remove(sentence)
        variants.append(sorted(rest))
    assert variants[0] != variants[1] != variants[2] != variants[0]
    # What is counted is of the sentences alone.
    _, _, plain = seen(tmp_path / "without", 1, ALONE[:1], **overrides)
    assert torch.equal(model.crf.label_weights, plain.crf.label_weights)
    for namespace in model.vocab.get_namespaces():
        assert model.vocab.get_token_to_index_vocabulary(namespace) == plain.vocab.get_token_to_index_vocabulary(
            namespace
        )


def test_where_an_epoch_is_part_of_a_pass(repository, tmp_path):
    own = len(sentences("wnut17train.conll", repository))
    batches = -(-2 * own // 16)
    overrides = {"data_loader.batch_size": 16, "trainer.patience": None}
    _, whole, _ = seen(tmp_path / "whole", 2, **overrides)
    _, parts, _ = seen(tmp_path / "parts", 2 * batches, **overrides, **{"data_loader.batches_per_epoch": 1})
    assert sum(parts, []) == sum(whole, [])


def test_a_number_of_variants_comes_again(repository, tmp_path):
    _, new, _ = seen(tmp_path / "new", 3)
    callbacks = [ALONE[0], {"type": "augmentation", "variants": 2}]
    _, repeated, _ = seen(tmp_path / "repeated", 3, callbacks)
    assert repeated[:2] == new[:2] and sorted(repeated[2]) == sorted(repeated[0]) != sorted(new[2])


def test_variants_follow_the_seed(tmp_path):
    one, same, other = (
        seen(tmp_path / str(number), 1, **{"pytorch_seed": seed})[1][0] for number, seed in enumerate((1, 1, 2))
    )
    assert one == same and sorted(one) != sorted(other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mentions": 1.5}, "`mentions` is a share, from 0 to 1; got 1.5"),
        ({"noise": -0.1}, "`noise` is a share, from 0 to 1; got -0.1"),
        ({"variants": 0}, "`variants` must be at least 1, or left out; got 0"),
        ({"mentions": 0.0, "noise": 0.0}, "^augmentation: `mentions` and `noise` are both 0. Remove the callback.$"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        TrainerCallback.by_name("augmentation")("runs/none", **settings)
    TrainerCallback.by_name("augmentation")("runs/none", mentions=1.0, noise=0.0)


def trainer(directory, **overrides):
    params = Params.from_file(CONFIG, json.dumps({"trainer.callbacks": [{"type": "augmentation"}], **overrides}))
    prepare_environment(params)
    directory.mkdir()
    return TrainModel.from_params(params, serialization_dir=str(directory), local_rank=0).trainer


def test_data_that_cannot_be_varied(tmp_path):
    streamed = trainer(tmp_path / "streamed", data_loader={"type": "multiprocess", "batch_size": 8})
    with pytest.raises(
        ConfigurationError, match='^augmentation needs a data loader .* Set `data_loader.type` to "in_memory".$'
    ):
        streamed.train()
    untagged = trainer(tmp_path / "untagged")
    for instance in untagged.data_loader.iter_instances():
        del instance.fields["tags"]
    with pytest.raises(ConfigurationError, match="there is no 'tags'"):
        untagged.train()


def test_the_loader_s_length_is_right_before_and_after_the_first_pass(tmp_path):
    loader = trainer(tmp_path / "run").data_loader
    alone = len(loader)
    instances = list(loader.iter_instances())
    loader.add_to_each_pass(lambda number: random.sample(instances, len(instances)))
    before = len(loader)
    assert before > alone
    assert sum(1 for _ in loader) == before == len(loader)
    assert list(loader.iter_instances()) == instances
