import copy
import itertools
import json
import math
import os
import re
from collections import Counter
from pathlib import Path

import _jsonnet
import pytest
import torch
from allennlp.commands.train import TrainModel, train_model
from allennlp.common import Params
from allennlp.common.file_utils import cached_path
from allennlp.common.util import prepare_environment
from allennlp.modules.token_embedders.embedding import EmbeddingsTextFile

import roseq_allennlp
from roseq_allennlp.data import corpora

CORPORA = {
    "conll02_nl": "conll2002-nl",
    "conll02_es": "conll2002-es",
    "conll03_en": "conll2003-en",
    "wnut16": "wnut16",
    "wnut17": "wnut17",
}
COMPONENTS = ("lacrf", "fl", "at")
SUBSETS = [",".join(names) for size in range(4) for names in itertools.combinations(COMPONENTS, size)]
CONFIGS = sorted(path.stem for path in Path(__file__).parents[1].glob("training_configs/*.jsonnet"))
PLAIN = [name for name in CONFIGS if name != "ablation"]
SAMPLER = {"type": "bucket", "batch_size": 16, "sorting_keys": ["tokens"]}


@pytest.fixture(autouse=True)
def nothing_but_roseq_data(monkeypatch):
    for name in os.environ:
        if name.startswith("ROSEQ_") and name != "ROSEQ_DATA":
            monkeypatch.delenv(name)


def evaluate(name, **variables):
    return json.loads(_jsonnet.evaluate_file(f"training_configs/{name}.jsonnet", ext_vars=variables))


def uncalibrated(config):
    """Without what the roseq_ configs alone have."""
    *callbacks, last = config["trainer"]["callbacks"]
    assert last == {"type": "calibration"}
    return {**config, "trainer": {**config["trainer"], "callbacks": callbacks}}


def ablation(corpus, components, vectors=""):
    return evaluate("ablation", ROSEQ_CORPUS=corpus, ROSEQ_COMPONENTS=components, ROSEQ_VECTORS=vectors)


def with_encoder(config, folder):
    """The config with a tiny encoder in place of the one that it names, if it names one."""
    for part in (
        config["dataset_reader"]["token_indexers"],
        tagger_of(config)["text_field_embedder"]["token_embedders"],
    ):
        if part["tokens"]["type"] == "transformer":
            assert re.fullmatch(r"[\w-]+/[\w.-]+", part["tokens"]["model_name"])  # a name of the hub
            part["tokens"]["model_name"] = str(folder)
    return config


def values(config):
    """All strings and numbers of a config."""
    if not isinstance(config, (dict, list)):
        return [config]
    return [value for child in (config.values() if isinstance(config, dict) else config) for value in values(child)]


def tagger_of(config):
    """The config of a tagger; of an ensemble, that of each member."""
    return config["model"].get("member", config["model"])


def components(config):
    callbacks = {callback["type"] for callback in config["trainer"]["callbacks"]}
    tagger = tagger_of(config)
    assert ("tau" in tagger) == ("label_statistics" in callbacks)
    found = {"lacrf": "tau" in tagger, "fl": "gamma" in tagger, "at": "adversarial" in callbacks}
    return {name for name in COMPONENTS if found[name]}


def without_components(config):
    model = {key: value for key, value in config["model"].items() if key not in ("tau", "gamma")}
    trainer = {key: value for key, value in config["trainer"].items() if key != "callbacks"}
    return {**config, "model": model, "trainer": trainer}


def test_every_config_is_here():
    kinds = ("roseq", "base", "best", "distilled", "encoder")
    named = {f"{kind}_{corpus}" for kind in kinds for corpus in CORPORA} | {"ablation", "fixture"}
    further = corpora.CORPORA.keys() - set(CORPORA.values())
    allowed = {f"{kind}_{name.replace('-', '_')}" for kind in kinds for name in further}
    assert named <= set(CONFIGS) <= named | allowed


def check_trained(config, directory):
    """Trained for two batches, saved, loaded, predicted."""
    config["trainer"]["num_epochs"] = 1
    loader = config["data_loader"]
    loader["batches_per_epoch"] = 2
    loader.get("batch_sampler", loader)["batch_size"] = 4
    switched_on = components(config)
    train_model(Params(config), directory, return_model=False)
    metrics = json.loads((directory / "metrics.json").read_text())
    assert ("training_focal_loss" in metrics) == ("fl" in switched_on)
    assert ("training_adversarial_loss" in metrics) == ("at" in switched_on)
    assert math.isfinite(metrics["training_loss"]) and "best_validation_f1-measure-overall" in metrics
    tagger = roseq_allennlp.load(directory / "model.tar.gz")
    weights = tagger._model.crf.label_weights
    assert bool((weights > 1).any()) == ("lacrf" in switched_on) and not torch.isnan(weights).any()
    assert len(tagger.tag("Jan de Boer woont in Gent.")["tags"]) == 7


@pytest.mark.parametrize("name", PLAIN)
def test_each_config_trains_saves_loads_and_predicts(name, tiny_encoder, tmp_path):
    Params.from_file(f"training_configs/{name}.jsonnet")  # with the environment as it is
    config = with_encoder(evaluate(name), tiny_encoder)
    for callback in config["trainer"]["callbacks"]:
        if "teacher" in callback:
            teacher = callback["teacher"].removeprefix("runs/")
            check_trained(evaluate(teacher), tmp_path / teacher)
            callback["teacher"] = str(tmp_path / teacher)
    check_trained(config, tmp_path / "run")


@pytest.mark.parametrize(
    "components, vectors", [("", ""), ("fl,at", ""), ("lacrf,at,-bilstm,-characters", "tuned"), ("best", "frozen")]
)
def test_the_ablation_trains(monkeypatch, components, vectors, tiny_encoder, tmp_path):
    vectors = f"{vectors}:{tiny_encoder}" if vectors else ""
    monkeypatch.setenv("ROSEQ_CORPUS", "wnut16")
    monkeypatch.setenv("ROSEQ_COMPONENTS", components)
    monkeypatch.setenv("ROSEQ_VECTORS", vectors)
    config = Params.from_file("training_configs/ablation.jsonnet").as_dict()
    assert config == ablation("wnut16", components, vectors)
    check_trained(config, tmp_path / "run")


@pytest.mark.parametrize("config, corpus", CORPORA.items())
def test_other_vectors_change_what_depends_on_them_and_nothing_else(config, corpus):
    """Against the definition itself, called as a config of one's own calls it."""
    source = """
        local vectors = import 'training_configs/lib/vectors.libsonnet';
        (import 'training_configs/lib/corpus.libsonnet')('%s', vectors.%s, %s)
    """
    for text, entry, part in [
        ("frozen:some/encoder", "transformer('some/encoder')", ""),
        ("tuned:C:/a folder", "transformer('C:/a folder', tune=true)", ""),
        ("tuned:some/encoder", "transformer('some/encoder', tune=true)", "bilstm"),
        ("fixed:corpus://some/vectors.txt:70", "fixed('corpus://some/vectors.txt', 70)", "characters"),
    ]:
        switches = json.dumps({part: False} if part else {})
        expected = json.loads(_jsonnet.evaluate_snippet("", source % (corpus, entry, switches)))
        assert ablation(corpus, "lacrf,fl,at" + (f",-{part}" if part else ""), text) == expected
    assert ablation(corpus, "lacrf,fl,at", "frozen:some/encoder") == json.loads(
        json.dumps(evaluate(f"encoder_{config}")).replace("intfloat/multilingual-e5-small", "some/encoder")
    )
    learned = ablation(corpus, "", "learned")["model"]["text_field_embedder"]["token_embedders"]["tokens"]
    assert learned == {"type": "embedding", "vocab_namespace": "tokens", "embedding_dim": 50}


@pytest.mark.parametrize(
    "vectors, message",
    [
        ("tunned:some/encoder", "ROSEQ_VECTORS has tunned:; it may have fixed:, frozen:, tuned:"),
        ("fixed:file.vec", "fixed vectors are fixed:FILE:DIMENSION"),
        ("fixed:file.vec:wide", "wide is not a base 10 integer"),
        ("frozen:", "ROSEQ_VECTORS is frozen:; a name or file is missing"),
        ("glove", "there is no glove; known are .*glove-6b-100d"),
    ],
)
def test_unknown_vectors(vectors, message):
    with pytest.raises(RuntimeError, match=message):
        ablation("wnut16", "fl", vectors)


@pytest.mark.parametrize("config, corpus", CORPORA.items())
@pytest.mark.parametrize("subset", SUBSETS)
def test_the_ablation_switches_the_components_and_nothing_else(config, corpus, subset):
    found = ablation(corpus, subset)
    assert components(found) == set(filter(None, subset.split(",")))
    roseq = uncalibrated(evaluate(f"roseq_{config}"))
    assert without_components(found) == without_components(roseq)
    if len(components(found)) in (0, 3):
        assert found == (roseq if subset else evaluate(f"base_{config}"))


@pytest.mark.parametrize("config, corpus", CORPORA.items())
def test_best_is_roseq_as_an_ensemble_on_varied_sentences(config, corpus):
    best, roseq = evaluate(f"best_{config}"), uncalibrated(evaluate(f"roseq_{config}"))
    assert best == ablation(corpus, "lacrf,fl,at,best")
    assert best["model"] == {"type": "tagger_ensemble", "size": 3, "member": roseq["model"]}
    trainer = roseq["trainer"]
    loader = roseq["data_loader"] if "wnut" in config else {"type": "in_memory", "batch_sampler": SAMPLER}
    changed = {
        "grad_norm": pytest.approx(math.sqrt(3) * trainer["grad_norm"]),
        "callbacks": [*trainer["callbacks"], {"type": "augmentation", "mentions": 0.5, "noise": 0.1}],
        "num_epochs": 35 if "wnut" in config else 20,
        "patience": 10,
    }
    assert best == {**roseq, "data_loader": loader, "model": best["model"], "trainer": {**trainer, **changed}}


@pytest.mark.parametrize("config, corpus", CORPORA.items())
def test_an_encoder_config_can_be_best(config, corpus):
    path = f"training_configs/encoder_{config}.jsonnet"
    switched = re.sub(r"\blocal best = false;", "local best = true;", Path(path).read_text(encoding="utf-8"))
    assert json.loads(_jsonnet.evaluate_snippet(path, switched)) == ablation(
        corpus, "lacrf,fl,at,best", "frozen:intfloat/multilingual-e5-small"
    )


@pytest.mark.parametrize("config, corpus", CORPORA.items())
def test_distilled_is_one_of_best_with_a_teacher(config, corpus):
    best, distilled = evaluate(f"best_{config}"), uncalibrated(evaluate(f"distilled_{config}"))
    teacher = {"type": "distillation", "teacher": f"runs/best_{config}"}
    one = best["trainer"]
    one = {
        **one,
        "grad_norm": pytest.approx(one["grad_norm"] / math.sqrt(3)),
        "callbacks": [*one["callbacks"], teacher],
    }
    assert distilled == {**best, "model": best["model"]["member"], "trainer": one}


@pytest.mark.parametrize("vectors", ["", "frozen:encoder", "tuned:encoder"])
def test_a_frozen_encoder_reads_three_variants(vectors):
    variants = [
        callback.get("variants")
        for callback in ablation("wnut17", "best", vectors)["trainer"]["callbacks"]
        if callback["type"] == "augmentation"
    ]
    assert variants == [3 if vectors.startswith("frozen") else None]


@pytest.mark.parametrize("wrong", ["lacrf,fll", "LACRF", "lacrf, fl"])
def test_unknown_components(wrong):
    with pytest.raises(RuntimeError, match="ROSEQ_COMPONENTS has .*; it may list"):
        ablation("wnut16", wrong)


def test_unknown_corpus():
    with pytest.raises(RuntimeError, match="there is no wnut18; known are .*wnut16"):
        ablation("wnut18", "fl")


def test_unknown_switch():
    with pytest.raises(RuntimeError, match="roseq has no switch fll; it has at, augmented, .*lacrf"):
        _jsonnet.evaluate_snippet(
            "", '(import "training_configs/lib/corpus.libsonnet")("wnut16", switches={ fll: true })'
        )


@pytest.mark.parametrize("name", CORPORA)
def test_base_is_roseq_without_the_components(name):
    roseq, base = uncalibrated(evaluate(f"roseq_{name}")), evaluate(f"base_{name}")
    assert components(roseq) == set(COMPONENTS) and components(base) == set()
    assert without_components(roseq) == without_components(base)


@pytest.mark.parametrize("name, corpus", CORPORA.items())
def test_the_paper_s_values(name, corpus):
    config = evaluate(f"roseq_{name}")
    model, trainer, shapes = config["model"], config["trainer"], corpus.startswith("wnut")
    assert (model["tau"], model["gamma"]) == (0.25, 2.0)
    assert {"type": "adversarial", "epsilon": 5.0} in trainer["callbacks"]
    assert trainer["optimizer"] == {"type": "fused_adam", "lr": 0.001} and trainer["grad_norm"] == 5.0
    schedule = {"type": "inverse_time_decay", "decay_rate": 0.05, "min_lr": 1e-4}
    assert trainer["learning_rate_scheduler"] == schedule
    assert trainer["validation_metric"] == "+f1-measure-overall"
    assert config["data_loader"] == {"type": "in_memory", "batch_size": 16, "shuffle": True}
    assert config["validation_data_loader"] == {"type": "in_memory", "batch_size": 64}
    assert (model["embedding_dropout"], model["dropout"]) == (0.2, 0.5)
    assert not model.get("include_start_end_transitions")
    words = 100 if corpora.CORPORA[corpus].language == "en" else 50
    assert model["encoder"] == {
        "type": "bidirectional_lstm",
        "input_size": words + 60 + (50 if shapes else 0),
        "hidden_size": 100,
    }
    assert model["fusion"] == {"input_dim": 200, "num_layers": 1, "hidden_dims": 100, "activations": "tanh"}
    embedders = model["text_field_embedder"]["token_embedders"]
    assert embedders["tokens"]["embedding_dim"] == words
    assert embedders["tokens"]["type"] == ("embedding" if words == 50 else "fixed_embedding")
    characters = embedders["token_characters"]
    assert (characters["num_filters"], characters["filter_widths"]) == (20, [2, 3, 4])
    assert characters["embedding_dim"] == 30 and characters.get("orthographic_dim") == (30 if shapes else None)
    assert ("orthographic" in embedders) == shapes and (not shapes or embedders["orthographic"]["embedding_dim"] == 50)


@pytest.mark.parametrize("name, corpus", CORPORA.items())
def test_values_that_no_score_would_show(name, corpus):
    config = evaluate(f"roseq_{name}")
    trainer, model = config["trainer"], config["model"]
    assert [config[seed] for seed in ("random_seed", "numpy_seed", "pytorch_seed")] == [1, 1, 1]
    assert (trainer["num_epochs"], trainer["patience"]) == (50, 15)
    assert [callback["type"] for callback in trainer["callbacks"]] == [
        *("exact_recovery", "finite_loss", "late_start", "score_table", "declared_types"),
        *([] if corpus.startswith("conll2002") else ["vector_coverage"]),  # those of the file
        *("label_statistics", "adversarial", "calibration"),
    ]
    assert trainer["checkpointer"] == {"type": "atomic"}
    shapes = corpus.startswith("wnut")
    indexers, embedders = config["dataset_reader"]["token_indexers"], model["text_field_embedder"]["token_embedders"]
    characters = {"type": "orthographic_characters", "include_characters": True} if shapes else {"type": "characters"}
    assert indexers == {
        "tokens": {"type": "folded_words", "namespace": "tokens", "normalize": True},
        "token_characters": {"min_padding_length": 4, **characters},
        **({"orthographic": {"type": "orthographic"}} if shapes else {}),
    }
    assert indexers["token_characters"]["min_padding_length"] == max(embedders["token_characters"]["filter_widths"])
    assert embedders["token_characters"]["max_word_length"] == 64
    learned = embedders["tokens"]["embedding_dim"] == 50
    vocabulary = {key: value for key, value in config["vocabulary"].items() if key != "tokens_to_add"}
    file = embedders["tokens"].get("pretrained_file")
    once = {"token_characters", *({"orthographic", "orthographic_characters"} if shapes else ())}
    assert vocabulary.pop("min_count") == dict.fromkeys(once | ({"tokens"} if learned else set()), 2)
    assert vocabulary == (
        {}
        if learned
        else {
            "pretrained_files": {"tokens": file},
            "only_include_pretrained_words": True,
            "min_pretrained_embeddings": {"tokens": -1},
        }
    )


@pytest.mark.parametrize("name", ["roseq_conll02_nl", "roseq_wnut17"])
def test_what_the_model_of_a_config_starts_from(name, tmp_path):
    """Learned words start uniform in ±sqrt(3 / 50); the char-CNN has the two highway layers of eq. (3)."""
    params = Params(evaluate(name))
    prepare_environment(params)
    model = TrainModel.from_params(params, serialization_dir=str(tmp_path), local_rank=0).model
    embedder = model._text_field_embedder
    words = embedder.token_embedder_tokens.weight[2:]
    assert len(embedder.token_embedder_token_characters.highway._layers) == 2
    if "conll02" in name:
        bound = (3 / 50) ** 0.5
        assert words.numel() > 2000 and 0.99 * bound < words.abs().max() <= bound
        assert words.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
    assert words.requires_grad == ("conll02" in name)


def test_bucketed_changes_the_batches_and_nothing_else(tmp_path):
    source = '(import "training_configs/lib/corpus.libsonnet")("conll2002-nl", switches={ bucketed: %s }%s)'
    plain, bucketed = (json.loads(_jsonnet.evaluate_snippet("", source % (value, ""))) for value in ("false", "true"))
    loader = {"type": "in_memory", "batch_sampler": dict(SAMPLER)}  # training takes it apart
    assert bucketed == {**plain, "data_loader": loader} and plain == uncalibrated(evaluate("roseq_conll02_nl"))
    # the same from the command line
    overrides = json.dumps({"data_loader": loader})
    assert uncalibrated(Params.from_file("training_configs/roseq_conll02_nl.jsonnet", overrides).as_dict()) == bucketed
    best = json.loads(_jsonnet.evaluate_snippet("", source % ("false", ", best=true")))
    assert best == {**evaluate("best_conll02_nl"), "data_loader": plain["data_loader"]}

    bucketed["trainer"]["num_epochs"] = 1
    loader["batches_per_epoch"] = 2
    train_model(Params({**bucketed, "data_loader": loader}), tmp_path / "run", return_model=False)
    assert math.isfinite(json.loads((tmp_path / "run/metrics.json").read_text())["training_loss"])


@pytest.mark.parametrize(
    "name, reader",
    [("conll02_nl", "conll2002"), ("conll03_en", "conll2003_ner"), ("wnut17", "wnut"), ("wnut17", "columns")],
)
def test_data_larger_than_memory_trains_as_data_in_memory(name, reader, tmp_path):
    config = evaluate(f"roseq_{name}")
    config["dataset_reader"]["type"] = reader
    config["trainer"]["num_epochs"] = 1
    found = []
    for limit in ({}, {"max_instances_in_memory": 16}):
        config["data_loader"] = {"type": "multiprocess", "batch_size": 8, **limit}
        directory = tmp_path / str(len(found))
        model = train_model(Params(copy.deepcopy(config)), directory)
        metrics = json.loads((directory / "metrics.json").read_text())
        losses = {key: value for key, value in metrics.items() if "loss" in key}
        vocabulary = [model.vocab.get_index_to_token_vocabulary(each) for each in ("tokens", "token_characters")]
        found.append((model.crf.label_weights.tolist(), losses, vocabulary))
    assert found[0] == found[1] and max(found[0][0]) > 1


@pytest.mark.parametrize("name", PLAIN)
def test_no_config_knows_of_a_test_split(name):
    config = evaluate(name)
    assert not [key for key in config if "test" in key]
    assert not [value for value in values(config) if isinstance(value, str) and re.search("test|/tst", value)]
    assert config["datasets_for_vocab_creation"] == ["train"]


@pytest.mark.parametrize("name", PLAIN)
def test_each_file_of_a_config_is_in_the_catalogue_or_the_fixtures(name):
    config = evaluate(name)
    names = [value for value in values(config) if isinstance(value, str) and "://" in value]
    assert all(re.fullmatch(r"corpus://[\w-]+/(train|dev|vectors\.txt)", found) for found in names)
    assert len(set(names)) == (0 if name == "fixture" else 3 if "glove" in str(config) else 2)
    for path in (config["train_data_path"], config["validation_data_path"]):
        assert Path(cached_path(path)).is_file() and Path(corpora.resolve(path)).is_relative_to("fixtures")
    if name != "fixture":
        key = name.partition("_")[2]
        corpus = corpora.CORPORA[CORPORA.get(key, key.replace("_", "-"))]
        assert (config["dataset_reader"]["type"], config["dataset_reader"]["language"]) == (
            corpus.reader,
            corpus.language,
        )
        labels = {label[2:] for label in config["vocabulary"]["tokens_to_add"]["labels"]} - {""}
        assert labels == set(corpus.types)


@pytest.mark.parametrize("name", ["roseq_conll02_nl", "roseq_conll03_en", "roseq_wnut17", "fixture"])
def test_the_vocabulary_is_that_of_the_training_split(name, tmp_path):
    config = evaluate(name)
    vocabulary = config["vocabulary"]
    extra = tmp_path / "dev"  # words and characters of its own, each often enough to be kept
    columns = corpora.resolve(config["validation_data_path"])
    dev = Path(columns).read_text(encoding="utf-8")
    row = next(line for line in dev.splitlines() if line.strip() and "-DOCSTART-" not in line)
    separator = "\t" if "\t" in row else " "
    width = len(row.split(separator))
    rows = [
        separator.join([word] + ["O"] * (width - 1)) for word in ("Ωμέγα", "zyxwv", "zyxwv", "77,77", "Ωμέγα", "of")
    ]
    extra.write_text("\n".join(rows) + "\n\n" + dev, encoding="utf-8")
    config["validation_data_path"] = str(extra)

    params = Params(copy.deepcopy(config))
    prepare_environment(params)  # takes the seeds out
    (tmp_path / "run").mkdir()
    model = TrainModel.from_params(params, serialization_dir=str(tmp_path / "run"), local_rank=0).model
    train = Path(corpora.resolve(config["train_data_path"])).read_text(encoding="utf-8").split("\n")
    words = [re.split("[\t ]", line)[0] for line in train if line.strip() and "-DOCSTART-" not in line]
    lowered = {word.lower() for word in words}
    allowed = lowered | {re.sub(r"\d", "0", word) for word in lowered}
    if "pretrained_files" in vocabulary:  # these exactly: fixed vectors are all there is to a word
        with EmbeddingsTextFile(vocabulary["pretrained_files"]["tokens"]) as lines:
            allowed = {line.split(" ")[0] for line in lines}
    special = {model.vocab._padding_token, model.vocab._oov_token}

    def known(namespace):
        return set(model.vocab.get_token_to_index_vocabulary(namespace)) - special

    assert "zyxwv" not in known("tokens") and "ωμέγα" not in known("tokens")
    assert known("tokens") <= allowed and len(known("tokens")) > 50
    if "pretrained_files" in vocabulary:
        assert known("tokens") == allowed and allowed - lowered
    characters = Counter("".join(words))
    assert known("token_characters") == {character for character, count in characters.items() if count > 1}
    types = {label[2:] for label in vocabulary["tokens_to_add"]["labels"] if label != "O"}
    assert known("labels") == {"O"} | {f"{prefix}-{label}" for prefix in "BILU" for label in types}
    assert model._labels[0] == "O"


def test_a_reader_with_options():
    source = """
    (import 'training_configs/lib/roseq.libsonnet')(
      { reader: %s, language: 'de', types: ['PER'], shapes: false, train: 'a', dev: 'b' },
      (import 'training_configs/lib/vectors.libsonnet').learned(50))
    """
    named, given = (
        json.loads(_jsonnet.evaluate_snippet("", source % reader))["dataset_reader"]
        for reader in ("'columns'", "{ type: 'columns', comment_prefix: '#' }")
    )
    assert given == {**named, "comment_prefix": "#"} and named["type"] == "columns" and named["language"] == "de"
