import json

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, DatasetReader, Vocabulary
from allennlp.models import Model

import roseq_allennlp
from roseq_allennlp.models.archive import load_archive, with_settings
from roseq_allennlp.nn.forward_backward import token_marginals
from roseq_allennlp.nn.temperature import tempered
from roseq_allennlp.training.callbacks.adversarial import find_layers

TRAIN = "fixtures/wnut17/wnut17train.conll"
SIZE = 3


@pytest.fixture
def config():
    found = Params.from_file("training_configs/fixture.jsonnet").as_dict()
    found["model"] = {"type": "tagger_ensemble", "size": SIZE, "member": found["model"]}
    return found


@pytest.fixture
def data(config):
    """A batch, and the vocabulary."""
    instances = list(DatasetReader.from_params(Params(config["dataset_reader"])).read(TRAIN))
    vocab = Vocabulary.from_params(Params(config["vocabulary"]), instances=instances)
    batch = Batch(instances[:5])
    batch.index_instances(vocab)
    return batch.as_tensor_dict(), vocab


@pytest.fixture
def ensemble(config, data):
    torch.manual_seed(1)  # by chance, one may prefer a single tag for all tokens
    model = Model.from_params(Params(config["model"]), vocab=data[1])
    model.set_label_counts(
        {label: 1000 if label == "O" else 10 for label in data[1].get_token_to_index_vocabulary("labels")}
    )
    return model.eval()


def test_each_member_learns_as_if_alone(ensemble, data):
    batch, _ = data
    together = ensemble(**batch)["loss"]
    together.backward()
    gradients = [[p.grad.clone() for p in member.parameters() if p.requires_grad] for member in ensemble.members]
    ensemble.zero_grad()
    alone = [member(**batch)["loss"] for member in ensemble.members]
    assert together.item() == pytest.approx(sum(loss.item() for loss in alone))
    assert len({loss.item() for loss in alone}) == SIZE
    torch.stack(alone).sum().backward()
    for member, expected in zip(ensemble.members, gradients, strict=True):
        torch.testing.assert_close([p.grad for p in member.parameters() if p.requires_grad], expected)
    assert all(not parameter.requires_grad for parameter in ensemble.crf.parameters())


def test_it_is_the_geometric_mean_of_its_members(ensemble, data):
    batch, _ = data
    output, own = ensemble(**batch), [member(**batch) for member in ensemble.members]
    mask, gold = output["mask"], batch["tags"]
    other = (gold + 1) % ensemble.crf.num_tags

    def log_odds(model, emissions):
        return model.crf(emissions, gold, mask) - model.crf(emissions, other, mask)

    members = [log_odds(member, each["emissions"]) for member, each in zip(ensemble.members, own, strict=True)]
    torch.testing.assert_close(
        log_odds(ensemble, output["emissions"]), torch.stack(members).mean(0), rtol=1e-4, atol=1e-4
    )
    assert (ensemble.crf.label_weights > 1).any() and not torch.equal(members[0], members[1])


@pytest.mark.parametrize("decode_in_training", [False, True])
def test_it_decodes_with_what_its_members_have_learned_since(ensemble, data, decode_in_training):
    """The transitions come to favour one tag after any other."""
    labels = data[1].get_token_to_index_vocabulary("labels")
    output = ensemble(**data[0])
    before, mask = output["tags"], output["mask"]
    with torch.no_grad():
        for number, member in enumerate(ensemble.members):
            member.crf.transitions.fill_(-100.0 * number)
            member.crf.transitions[:, labels["U-group"]] = 300.0
    if decode_in_training:
        ensemble._decode_in_training = True
        ensemble.train()
    after = ensemble(**data[0])["tags"]
    assert torch.equal(ensemble.crf.transitions, torch.stack([m.crf.transitions for m in ensemble.members]).mean(0))
    assert not (before[mask] == labels["U-group"]).all()
    assert (after[:, 1:][mask[:, 1:]] == labels["U-group"]).all()


def test_metrics_are_sums_of_losses_and_f1_of_the_ensemble(ensemble, data):
    output = ensemble(**data[0])
    metrics = ensemble.get_metrics()
    assert metrics["crf_loss"] + metrics["focal_loss"] == pytest.approx(output["loss"].item())
    assert "f1-measure-overall" in metrics and "f1-measure-overall" not in ensemble.train().get_metrics()


def test_adversarial_training_moves_the_layers_of_every_member(ensemble):
    layers = find_layers(ensemble, None)
    assert len(layers) == sum(len(find_layers(member, None)) for member in ensemble.members) == 4 * SIZE
    assert len(find_layers(ensemble, ["tokens"])) == SIZE


def test_it_trains_saves_loads_and_predicts(config, tmp_path):
    config["data_loader"] |= {"batches_per_epoch": 2, "batch_size": 4}
    config["trainer"]["num_epochs"] = 2
    trained = train_model(Params(config), tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["training_adversarial_loss"] > 0 and "best_validation_f1-measure-overall" in metrics
    loaded = roseq_allennlp.load(tmp_path / "run" / "model.tar.gz")
    assert loaded._model.state_dict().keys() == trained.state_dict().keys()
    for member in loaded._model.members:
        torch.testing.assert_close(member.crf.label_weights, loaded._model.crf.label_weights)
    assert len(loaded.tag("Jan de Boer woont in Gent.")["tags"]) == 7
    with_settings(tmp_path / "run", tmp_path / "a.tar.gz", {"temperature": 4.0, "thresholds": {"LOC": 0.5}})
    calibrated = load_archive(tmp_path / "a.tar.gz").model
    assert (calibrated.crf.temperature, calibrated.thresholds) == (4.0, {"LOC": 0.5})
    calibrated._take_means()
    emissions, mask = torch.randn(1, 3, calibrated.crf.num_tags), torch.ones(1, 3, dtype=torch.bool)
    torch.testing.assert_close(
        calibrated.crf.marginals(emissions, mask),
        token_marginals(tempered(calibrated.crf.potentials(emissions.double(), True), 4.0), mask).float(),
    )


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"size": 1}, "at least 2; got 1"),
        ({"members": 2}, "Extra parameters passed to TaggerEnsemble: {'members'"),
        ({"member": {"type": "simple_tagger"}}, "must be a label_aware_crf_tagger; got SimpleTagger"),
    ],
)
def test_errors(config, data, changes, message):
    if "member" in changes:
        parts = {key: config["model"]["member"][key] for key in ("text_field_embedder", "encoder")}
        changes = {"member": {**parts, **changes["member"]}}
    with pytest.raises(ConfigurationError, match=message):
        Model.from_params(Params({**config["model"], **changes}), vocab=data[1])


def test_each_member_learns_from_partly_known_tags(ensemble, data):
    batch, _ = data
    hidden = batch["tags"].clone()
    hidden[0], hidden[1, 1:3] = -1, -1
    metadata = [
        {
            **entry,
            "tags": ["?" if tag == -1 else known for tag, known in zip(row.tolist(), entry["tags"], strict=False)],
        }
        for row, entry in zip(hidden, batch["metadata"], strict=True)
    ]
    batch = {**batch, "tags": hidden, "metadata": metadata}
    together = ensemble(**batch)["loss"].item()
    assert together == pytest.approx(sum(member(**batch)["loss"].item() for member in ensemble.members))
    assert together < ensemble(**data[0])["loss"].item()
