import functools
import itertools
import json
import math
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.testing import ModelTestCase
from allennlp.data import Batch, DatasetReader, Vocabulary
from allennlp.models import Model
from allennlp.modules.conditional_random_field import ConditionalRandomField as AllenNlpCrf

import roseq_allennlp
from roseq_allennlp.models import LabelAwareCrfTagger
from roseq_allennlp.nn.focal_loss import focal_loss
from roseq_allennlp.scoring.conlleval import score

CONFIG = "training_configs/fixture.jsonnet"
TRAIN, DEV = "fixtures/wnut17/wnut17train.conll", "fixtures/wnut17/emerging.dev.conll"
TAU, GAMMA = 0.25, 2.0  # of the config
COUNTS = {"O": 1000, "U-location": 40, "B-person": 10, "L-person": 10}


def params(**overrides):
    return Params.from_file(CONFIG, json.dumps({key.replace("__", "."): value for key, value in overrides.items()}))


@functools.cache
def data():
    reader = DatasetReader.from_params(params()["dataset_reader"])
    instances = list(reader.read(TRAIN))
    return reader, instances, Vocabulary.from_params(params()["vocabulary"], instances=instances)


def build(vocab=None, counts=COUNTS, **overrides):
    """The tagger of the config with random weights, in eval mode; `a__b` overrides `a.b` of the model."""
    config = params(**{f"model__{key}": value for key, value in overrides.items()})
    vocab = vocab or data()[2]
    torch.manual_seed(3)
    model = Model.from_params(config["model"], vocab=vocab)
    if counts:
        model.set_label_counts({label: counts.get(label, 0) for label in vocab.get_token_to_index_vocabulary("labels")})
    return model.eval()


def batch_of(instances, vocab=None):
    batch = Batch(instances)
    batch.index_instances(vocab or data()[2])
    return batch.as_tensor_dict()


def train_batch(size=5):
    return batch_of(data()[1][:size])


def allennlp_log_likelihoods(model, emissions, tags, mask):
    """Of each sentence; by AllenNLP's own CRF with the transitions copied in."""
    crf = AllenNlpCrf(model.crf.num_tags, include_start_end_transitions=False)
    crf.transitions.data.copy_(model.crf.transitions.data)
    return torch.stack([crf(e[None], t[None], m[None]) for e, t, m in zip(emissions, tags, mask, strict=True)])


@pytest.mark.parametrize("tau", [None, TAU])
@pytest.mark.parametrize(
    "gamma, reduction",
    [(None, "sentence_sum"), (GAMMA, "sentence_sum"), (GAMMA, "token_mean"), (None, "token_mean"), (0.0, "token_mean")],
)
def test_loss_of_each_combination_of_components(tau, gamma, reduction):
    model = build(tau=tau, gamma=gamma, focal_reduction=reduction)
    batch = train_batch()
    output = model(**batch)
    emissions, mask = output["emissions"], output["mask"]
    assert mask.sum(1).unique().numel() > 1  # the lengths differ

    labels = data()[2].get_index_to_token_vocabulary("labels")
    rarest = (1000 / 10) ** TAU  # also of the tags that do not occur
    zeta = [(1000 / COUNTS[label]) ** TAU if label in COUNTS else rarest for label in labels.values()]
    weights = torch.tensor(zeta if tau else [1.0] * len(zeta))
    expected = -allennlp_log_likelihoods(model, emissions * weights, batch["tags"], mask).mean().item()
    losses = {"crf_loss": expected}

    if gamma is not None:  # on the unweighted emissions
        focal = [[], [], [], [], []]
        for row, sentence in enumerate(emissions):
            for token in range(int(mask[row].sum())):
                scores = [math.exp(score) for score in sentence[token].tolist()]
                q = scores[int(batch["tags"][row, token])] / sum(scores)
                focal[row].append(-((1 - q) ** gamma) * math.log(q))
        tokens = sum(focal, [])
        by = {"sentence_sum": sum(map(sum, focal)) / len(focal), "token_mean": sum(tokens) / len(tokens)}
        losses["focal_loss"] = by[reduction]
    assert output["loss"].item() == pytest.approx(sum(losses.values()), rel=1e-4)
    metrics = {name: value for name, value in model.get_metrics().items() if name.endswith("_loss")}
    assert metrics == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_of_the_embeddings_and_of_the_encoder(training):
    """0.2 between embedder and encoder, 0.5 between encoder and fusion, none behind it; in training only."""
    model = build().train(training)
    seen = {}
    for name in ("_text_field_embedder", "_encoder", "_fusion", "_emission_layer"):
        module = getattr(model, name)
        module.register_forward_hook(lambda _, args, output, name=name: seen.update({name: (args[0], output)}))
    torch.manual_seed(1)
    batch = train_batch(40)
    model(**batch)
    lengths = [len(entry["words"]) for entry in batch["metadata"]]
    for before, after, rate in [
        ("_text_field_embedder", "_encoder", 0.2),
        ("_encoder", "_fusion", 0.5),
        ("_fusion", "_emission_layer", 0.0),
    ]:
        given, taken = (
            torch.cat([row[:length] for row, length in zip(values, lengths, strict=True)])
            for values in (seen[before][1], seen[after][0])
        )
        kept = taken[given != 0] != 0
        assert kept.double().mean().item() == pytest.approx(1 - rate * training, abs=0.01)
        torch.testing.assert_close(taken[taken != 0], given[taken != 0] / (1 - rate * training), rtol=1e-4, atol=1e-6)


def test_precision_is_of_the_predicted_entities_and_recall_of_the_gold_ones():
    model = build()
    batch = train_batch()
    labels = data()[2].get_token_to_index_vocabulary("labels")
    with torch.no_grad():
        model.crf.transitions.zero_()
        model._emission_layer.weight.zero_()
        model._emission_layer.bias.fill_(-10.0)
        model._emission_layer.bias[labels["U-person"]] = 10.0  # each token is an entity of its own
    batch["tags"].fill_(labels["O"])
    batch["tags"][1, 0] = labels["U-person"]
    batch["tags"][2, 0] = labels["U-group"]
    model(**batch)
    metrics = model.get_metrics(reset=True)
    tokens = sum(len(entry["words"]) for entry in batch["metadata"])
    assert metrics["precision-overall"] == pytest.approx(1 / tokens) and metrics["recall-overall"] == 1 / 2
    assert (metrics["recall-person"], metrics["recall-group"]) == (1.0, 0.0)


def test_entities_of_types_unseen_in_training_are_scored_as_missed(caplog):
    reader, _, vocab = data()
    gold = [["U-person", "O", "B-Person", "L-Person"], ["O", "U-animal", "O"]]
    instances = [reader.text_to_instance(list("abcd")[: len(tags)], tags) for tags in gold]
    for instance in instances:
        reader.apply_token_indexers(instance)
    model = build()
    size = vocab.get_vocab_size("labels")
    for _ in range(2):
        output = model(**batch_of(instances))
    tags = model.make_output_human_readable(output)["tags"]
    metrics = model.get_metrics(reset=True)
    expected = score([*gold, *gold], [*tags, *tags])
    assert metrics["recall-overall"] == pytest.approx(expected.overall.recall / 100)
    assert metrics["accuracy"] == pytest.approx(expected.accuracy / 100)
    assert metrics["recall-animal"] == metrics["recall-Person"] == 0 and math.isfinite(output["loss"].item())
    assert vocab.get_vocab_size("labels") == size
    (message,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]  # once
    assert message.endswith("are scored as missed: 'Person' ('person' is close), 'animal'")
    with pytest.raises(ConfigurationError, match="lacks: 'B-Person', 'L-Person', 'U-animal'. Add \"train\""):
        model.train()(**batch_of(instances))


@pytest.mark.parametrize("training", [True, False])
def test_unknown_label_weights_are_an_error_at_the_first_forward_pass(training):
    model = build(counts=None).train(training)
    with pytest.raises(ConfigurationError, match="label_statistics"):
        model(**train_batch())


def test_label_weights_by_name():
    model = build(tau=None, label_weights={"B-person": 2.5, "O": 0.5}, counts=COUNTS)  # which it does not use
    weights = dict(
        zip(data()[2].get_token_to_index_vocabulary("labels"), model.crf.label_weights.tolist(), strict=True)
    )
    assert weights == {**dict.fromkeys(weights, 1.0), "B-person": 2.5, "O": 0.5}
    model(**train_batch())


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"tau": -0.1}, "tau must be"),
        ({"gamma": -1}, "gamma must be"),
        ({"label_weights": {"O": 2.0}}, "only one"),
        ({"tau": None, "label_weights": {"B-nobody": 2.0}}, r"\['B-nobody'\]"),
        ({"tau": None, "label_weights": {"O": 0.0}}, "positive"),
        ({"focal_reduction": "mean"}, "token_mean"),
        ({"top_k": 0}, "top_k"),
        ({"encoder__input_size": 7}, "takes vectors of 7"),
        ({"fusion__input_dim": 7}, "takes vectors of 7"),
        ({"label_namespace": "other_labels"}, "Extra parameters .*label_namespace"),
    ],
)
def test_errors_when_built(overrides, message):
    with pytest.raises(ConfigurationError, match=message):
        build(counts=None, **overrides)


def vocabulary(*labels):
    vocab = Vocabulary.from_params(params()["vocabulary"], instances=data()[1][:3])
    vocab._token_to_index["labels"].clear()
    vocab._index_to_token["labels"].clear()
    for label in labels:
        vocab.add_token_to_namespace(label, "labels")
    return vocab


def test_a_vocabulary_without_labels():
    with pytest.raises(ConfigurationError, match="no tags in the namespace `labels`"):
        build(vocabulary(), counts=None)


@pytest.mark.parametrize("label", ["E-X", "X", "S-X"])
def test_labels_that_are_not_bioul(label):
    with pytest.raises(ConfigurationError, match=f"BIOUL.*'{label}'"):
        build(vocabulary("O", "B-X", label), counts=None)


def sentence(text, tag=None):
    words = text.split()
    instance = data()[0].text_to_instance(words, tag and [tag] * len(words))
    data()[0].apply_token_indexers(instance)
    return instance


def test_padding_changes_nothing():
    model = build()
    texts = [
        "a",
        "Marta Keller is in Oslo",
        "so " * 30 + "extraordinarily-long-words-in-this-one http://t.co/" + 70 * "x",
    ]
    instances = [sentence(text, "O") for text in texts]
    together, losses = model(**batch_of(instances)), []
    readable = model.make_output_human_readable(dict(together))
    assert any(readable["entities"])
    for row, instance in enumerate(instances):
        alone = model(**batch_of([instance]))
        length = len(texts[row].split())
        assert torch.equal(together["mask"][row].nonzero().flatten(), torch.arange(length))
        torch.testing.assert_close(alone["emissions"][0], together["emissions"][row, :length], atol=1e-5, rtol=1e-4)
        losses.append(alone["loss"])
        alone = model.make_output_human_readable(alone)
        assert alone["tags"][0] == readable["tags"][row] and len(alone["tags"][0]) == length
        for one, other in zip(alone["entities"][0], readable["entities"][row], strict=True):
            assert one == {**other, "probability": pytest.approx(other["probability"], abs=1e-5)}
    torch.testing.assert_close(torch.stack(losses).mean(), together["loss"], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("decode", [False, True])
def test_training_decodes_only_when_asked(monkeypatch, decode):
    model = build(decode_in_training=decode).train()
    calls, original = [], model.crf.decode
    monkeypatch.setattr(model.crf, "decode", lambda *args: calls.append(1) or original(*args))
    output = model(**train_batch())
    assert len(calls) == decode
    assert ("tags" in output) == ("f1-measure-overall" in model.get_metrics()) == decode
    model.eval()(**train_batch())
    assert len(calls) == decode + 1 and "f1-measure-overall" in model.get_metrics()


@pytest.mark.parametrize("wanted", [False, True])
def test_emissions_are_given_only_when_asked(wanted):
    output = build(return_emissions=wanted).forward_on_instance(sentence("Marta is here"))
    assert output.keys() == {"tags", "entities", "words"} | ({"emissions"} if wanted else set())
    assert not wanted or output["emissions"].shape == (3, len(data()[2].get_token_to_index_vocabulary("labels")))


def paths_by_enumeration(model, emissions):
    """Each BIOUL path over a label set of one type, with its probability among all of them."""
    labels = list(model._labels.values())
    scores = {}
    for path in itertools.product(range(len(labels)), repeat=len(emissions)):
        if re.fullmatch("(O|U|BI*L)+", "".join(labels[tag][0] for tag in path)):
            score = sum((emissions[i][tag] * model.crf.label_weights[tag]).item() for i, tag in enumerate(path))
            score += sum(model.crf.transitions[pair].item() for pair in itertools.pairwise(path))
            scores[tuple(labels[tag] for tag in path)] = math.exp(score)
    return {path: score / sum(scores.values()) for path, score in scores.items()}


def test_probabilities_and_top_k_against_enumeration():
    vocab = vocabulary("O", "B-X", "I-X", "L-X", "U-X")
    model = build(vocab, counts={"O": 50, "B-X": 5, "L-X": 5, "U-X": 2}, top_k=12, return_emissions=True)
    with torch.no_grad():
        model._emission_layer.bias[[1, 3]] += 0.5
        model._emission_layer.weight *= 4
    output = model.forward_on_instance(sentence("Marta Keller flies"))
    paths = paths_by_enumeration(model, torch.as_tensor(output["emissions"]))
    assert len(paths) == 13  # so 12 are not all
    ranked = sorted(paths, key=lambda path: -paths[path])
    assert output["tags"] == list(ranked[0]) and output["entities"]
    for entity in output["entities"]:
        inside = slice(entity["start_token"], entity["end_token"])
        total = sum(value for path, value in paths.items() if list(path[inside]) == output["tags"][inside])
        assert entity["probability"] == pytest.approx(total, rel=1e-4) and total < 0.999
    assert [tuple(entry["tags"]) for entry in output["top_k_tags"]] == ranked[:12]
    for entry in output["top_k_tags"]:
        assert math.exp(entry["log_probability"]) == pytest.approx(paths[tuple(entry["tags"])], rel=1e-4)


def test_top_k_of_a_sentence_with_fewer_paths():
    output = build(top_k=40).forward_on_instance(sentence("Marta"))
    assert len(output["top_k_tags"]) == 7  # O, and U- of the six types
    assert sum(math.exp(entry["log_probability"]) for entry in output["top_k_tags"]) == pytest.approx(1.0, abs=1e-5)


def test_initializer_and_regularizer():
    model = build(
        initializer={"regexes": [["crf\\.transitions", {"type": "constant", "val": 0.5}]]},
        regularizer={"regexes": [["crf\\.transitions", {"type": "l2", "alpha": 0.1}]]},
    )
    assert (model.crf.transitions == 0.5).all()
    assert model.get_regularization_penalty().item() == pytest.approx(0.1 * 0.25 * model.crf.num_tags**2)


@pytest.mark.parametrize("option", [False, True])
def test_constraints_and_start_end_transitions_are_switches(option):
    model = build(constrain_decoding=option, include_start_end_transitions=option)
    assert bool(torch.isinf(model.crf.forbidden_transitions).any()) == option
    assert ("crf.start_transitions" in model.state_dict()) == option


def bioul_counts_by_hand(path):
    """From an IOB2 file, with nothing of the package."""
    counts = Counter()
    for block in re.split(r"\n\s*\n", Path(path).read_text(encoding="utf-8").strip()):
        tags = [line.split("\t")[1].strip() for line in block.split("\n")] + ["O"]
        for tag, following in itertools.pairwise(tags):
            last = following[:2] != "I-"
            prefix = {"B": "U" if last else "B", "I": "L" if last else "I", "O": "O"}[tag[0]]
            counts[prefix + tag[1:]] += 1
    return counts


def test_an_archive_has_the_training_split_s_weights_and_needs_no_training_file(archive_path, tmp_path, monkeypatch):
    counts = bioul_counts_by_hand(TRAIN)
    monkeypatch.chdir(tmp_path)  # the paths of the archive's config lead nowhere from here
    monkeypatch.delenv("ROSEQ_DATA")
    model = roseq_allennlp.load(archive_path)._model
    zeta = {label: (counts["O"] / counts[label]) ** TAU for label in counts}
    for label, weight in zip(model._labels.values(), model.crf.label_weights.tolist(), strict=True):
        assert weight == pytest.approx(zeta.get(label, max(zeta.values())), rel=1e-5)
    assert 1.0 == model.crf.label_weights.min() < 2.0 < model.crf.label_weights.max()


class TestTraining(ModelTestCase):
    def setup_method(self):
        super().setup_method()
        self.set_up_model(CONFIG, DEV, seed=1)
        self.model.set_label_counts(dict.fromkeys(self.model._labels.values(), 1) | {"O": 100})

    def test_batch_predictions_are_consistent(self):
        assert isinstance(self.model, LabelAwareCrfTagger)
        self.ensure_batch_predictions_are_consistent(keys_to_ignore=["tags"])  # padded

    @pytest.mark.parametrize("components", [True, False])
    def test_train_save_and_load(self, components):
        overrides = {"trainer.num_epochs": 2, "model.encoder.hidden_size": 20, "model.fusion.input_dim": 40}
        if not components:
            overrides |= {"model.tau": None, "model.gamma": None, "trainer.callbacks": []}
        model, loaded = self.ensure_model_can_train_save_and_load(CONFIG, overrides=json.dumps(overrides), seed=1)
        assert torch.equal(model.crf.label_weights, loaded.crf.label_weights)
        assert bool((model.crf.label_weights == 1).all()) == (not components)
        metrics = json.loads((self.TEST_DIR / "save_and_load_test" / "metrics.json").read_text())
        for name in ("training_adversarial_loss", "training_focal_loss"):
            assert (name in metrics) == components


def partly_known_batch(hidden):
    """Five sentences with the tags at `hidden`, pairs of sentence and token, unknown; the reader's and by hand."""
    instances = []
    for row, instance in enumerate(data()[1][:5]):
        tags = ["?" if (row, token) in hidden else tag for token, tag in enumerate(instance["tags"].labels)]
        instances.append(data()[0].text_to_instance(instance["metadata"]["words"], tags))
        data()[0].apply_token_indexers(instances[-1])
    return batch_of(instances)


@pytest.mark.parametrize("reduction", ["sentence_sum", "token_mean"])
@pytest.mark.parametrize("with_metadata", [True, False])
def test_loss_of_partly_known_tags(reduction, with_metadata):
    """The CRF's against all ways to fill in the tags, the focal one against the known tokens alone."""
    model = build(focal_reduction=reduction)
    whole, hidden = train_batch(), {(0, 1), (1, 0), (1, 2)}
    lengths = [len(entry["words"]) for entry in whole["metadata"]]
    hidden |= {(3, token) for token in range(lengths[3])}
    batch = partly_known_batch(hidden)
    if not with_metadata:
        batch["metadata"] = None
    output = model(**batch)
    losses = {name: value for name, value in model.get_metrics(reset=True).items() if name.endswith("_loss")}

    emissions, mask = output["emissions"], output["mask"]
    assert (batch["tags"] == -1).sum() == len(hidden) and mask.sum(1).tolist() == lengths
    expected = []
    for row in range(5):
        unknown = sorted(token for sentence, token in hidden if sentence == row)
        if row == 3:
            expected.append(0.0)
            continue
        fillings = list(itertools.product(range(model.crf.num_tags), repeat=len(unknown)))
        tags = whole["tags"][row].repeat(len(fillings), 1)
        tags[:, unknown] = torch.tensor(fillings, dtype=torch.long).reshape(len(fillings), len(unknown))
        each = model.crf(emissions[row].expand(len(tags), -1, -1), tags, mask[row].expand(len(tags), -1))
        expected.append(-torch.logsumexp(each, dim=0).item())
    assert losses["crf_loss"] == pytest.approx(sum(expected) / 5, rel=1e-4)
    tokens = [(row, token) for row, length in enumerate(lengths) for token in range(length)]
    focal = sum(focal_loss(emissions[at], whole["tags"][at], GAMMA).item() for at in tokens if at not in hidden)
    by = {"sentence_sum": focal / 5, "token_mean": focal / (len(tokens) - len(hidden))}
    assert losses["focal_loss"] == pytest.approx(by[reduction], rel=1e-4)
    assert output["loss"].item() == pytest.approx(sum(losses.values()))


def test_nothing_is_learned_from_unknown_tags():
    model = build(focal_reduction="token_mean").train()
    lengths = [len(entry["words"]) for entry in train_batch()["metadata"]]
    batch = partly_known_batch({(row, token) for row, length in enumerate(lengths) for token in range(length)})
    loss = model(**batch)["loss"]
    loss.backward()
    assert loss.item() == 0
    assert all((p.grad == 0).all() for p in model.parameters() if p.grad is not None)


def test_scores_leave_out_unknown_tags():
    model = build()
    hidden = {(0, 1), (1, 0), (1, 2), (4, 3)}
    batch = partly_known_batch(hidden)
    output = model.make_output_human_readable(model(**batch))
    gold = [entry["tags"] for entry in batch["metadata"]]
    result = score(gold, output["tags"])
    metrics = model.get_metrics(reset=True)
    assert metrics["accuracy"] == result.accuracy / 100 and result.tokens == sum(map(len, gold)) - len(hidden)
    assert metrics["precision-overall"] == result.overall.precision / 100 < 1
    model(**{**batch, "metadata": [{"words": entry["words"]} for entry in batch["metadata"]]})
    assert model.get_metrics(reset=True) == metrics
