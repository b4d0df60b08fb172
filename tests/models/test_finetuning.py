"""Fine-tuning: what stays of a trained archive, what is new, and that the result needs nothing of the first one."""

import json
import shutil
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from _jsonnet import evaluate_snippet
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Vocabulary
from allennlp.models import Model

from roseq_allennlp.data.label_statistics import label_weights
from roseq_allennlp.data.orthography import word_shape
from roseq_allennlp.models import TaggerEnsemble, finetuning
from roseq_allennlp.models.archive import archive_model, load_archive
from roseq_allennlp.models.finetuning import begin, check_is_new
from roseq_allennlp.models.finetuning_request import FineTuning, requested
from roseq_allennlp.training.layer_rates import with_layer_decay

OLD = "fixtures/wnut17/wnut17train.conll"
NEW = "fixtures/conll2003/eng.train"
DEV = "fixtures/conll2003/eng.testa"
DATA = "wnut17train+eng.train.conll"  # what the archive was trained on, and what is new
LIB = Path("training_configs/lib").resolve()


def config(vectors: str, **switches: Any) -> dict[str, Any]:
    """A small RoSeq on WNUT-2017's fixtures."""
    source = f"""
        local corpora = import '{LIB}/corpora.libsonnet';
        local roseq = import '{LIB}/roseq.libsonnet';
        local vectors = import '{LIB}/vectors.libsonnet';
        roseq(
          corpora.wnut17 {{ train: '{OLD}', dev: 'fixtures/wnut17/emerging.dev.conll' }},
          vectors.{vectors},
          {json.dumps({"num_epochs": 2, **switches})},
        )
    """
    built: dict[str, Any] = json.loads(evaluate_snippet("config", source))
    tagger = built["model"].get("member", built["model"])
    tagger["encoder"].update(hidden_size=8)
    tagger["fusion"].update(input_dim=16, hidden_dims=8)
    return built


@pytest.fixture(scope="module")
def archive(tmp_path_factory, archive_path, encoder_run):
    """Archives by what they are of; each is trained once."""
    made: dict[str, Path] = {"fixed": archive_path}

    def make(kind: str) -> Path:
        if kind in ("tuned", "frozen"):
            return encoder_run(kind == "tuned") / "model.tar.gz"
        if kind not in made:
            directory = tmp_path_factory.mktemp(kind) / "run"
            switches = {"augmented": True, "ensemble": 2} if kind == "ensemble" else {}
            train_model(Params(config("learned(10)", **switches)), str(directory), file_friendly_logging=True)
            made[kind] = directory / "model.tar.gz"
        return made[kind]

    return make


KINDS = pytest.mark.parametrize("kind", ["fixed", "learned", "ensemble", "tuned", "frozen"])


def trained(directory: Path) -> Path:
    train_model(Params.from_file(directory / "config.json"), str(directory), recover=True, file_friendly_logging=True)
    return directory / "model.tar.gz"


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


def not_begun(directory: Path) -> Model:
    """The model that training would begin with."""
    settings = Params.from_file(directory / "config.json")
    return Model.from_params(
        vocab=Vocabulary.from_files(directory / "vocabulary"),
        params=settings["model"],
        serialization_dir=str(directory),
    ).eval()


def row_before(trained: Model, vocab: Vocabulary) -> dict[int, int]:
    """For each new word the row that `folded_words` gave it: of its form with zeros for digits, or of unknown words."""
    known = trained.vocab.get_token_to_index_vocabulary("tokens")
    words = vocab.get_index_to_token_vocabulary("tokens")
    new = {index: word for index, word in words.items() if index >= len(known)}
    return {index: known.get("".join("0" if c.isdigit() else c for c in word), 1) for index, word in new.items()}


@KINDS
def test_what_was_learned_stays_to_the_bit_and_new_entries_begin_as_unknown_ones(kind, archive, tmp_path):
    begin(FineTuning(str(archive(kind)), NEW, DEV), tmp_path / "run")
    before, model = load_archive(archive(kind)).model, not_begun(tmp_path / "run")
    for namespace in before.vocab.get_namespaces():
        old = before.vocab.get_index_to_token_vocabulary(namespace)
        new = model.vocab.get_index_to_token_vocabulary(namespace)
        assert [new[index] for index in range(len(old))] == [old[index] for index in range(len(old))]
    labels = list(model.vocab.get_token_to_index_vocabulary("labels"))
    assert labels[-16:] == [f"{prefix}-{label}" for label in ("LOC", "MISC", "ORG", "PER") for prefix in "BILU"]
    now, then = dict(model.named_parameters()), dict(before.named_parameters())
    assert now.keys() == then.keys()
    for name, value in then.items():
        assert torch.equal(now[name][tuple(map(slice, value.shape))], value), name
    grown = {name for name, value in then.items() if now[name].shape != value.shape}
    assert {name.rpartition("crf.")[2] for name in grown if "crf." in name} == {"transitions"}
    tables = {name for name in grown if "token_embedder_" in name}
    assert bool(tables) == (kind not in ("tuned", "frozen")) or "characters" in str(tables)
    for name in tables:
        words = "token_embedder_tokens" in name
        stood_for = row_before(before, model.vocab) if words else {}
        for index in range(len(then[name]), len(now[name])):
            assert torch.equal(now[name][index], then[name][stood_for.get(index, 1)]), name
    assert ("token_embedder_tokens" in str(tables)) == (kind in ("learned", "ensemble"))


@pytest.mark.parametrize("kind", ["learned", "ensemble", "frozen"])
def test_without_new_types_it_answers_at_first_as_the_archive(kind, archive, tmp_path):
    new = tmp_path / "new.conll"
    new.write_text("Zürich\tB-person\nzürich\tO\nß123\tO\nß123\tO\n4711\tO\nzürich\tO\n\n" * 2, encoding="utf-8")
    begin(FineTuning(str(archive(kind)), str(new)), tmp_path / "run")
    loaded, model = load_archive(archive(kind)), not_begun(tmp_path / "run")
    assert kind == "frozen" or model.vocab.get_vocab_size("tokens") > loaded.model.vocab.get_vocab_size("tokens")
    for member in getattr(model, "members", [model]):
        member.crf.label_weights.fill_(1.0)  # not counted yet
    with torch.no_grad():
        emissions = []
        for tagger in (model, loaded.model.eval()):
            batch = Batch([loaded.dataset_reader.text_to_instance(["Zürich", "zürich", "ß123", "4711", "Oslo", "ü"])])
            for instance in batch:
                loaded.dataset_reader.apply_token_indexers(instance)
            batch.index_instances(tagger.vocab)
            emissions.append(tagger(**batch.as_tensor_dict())["emissions"])
    assert torch.equal(*emissions)


@KINDS
def test_it_stands_alone(kind, archive, tmp_path, roseq):
    first = tmp_path / "first.tar.gz"
    shutil.copy(archive(kind), first)
    run, options = tmp_path / "run", ["-o", '{"trainer.num_epochs": 1}', "--quiet"]
    result = roseq("finetune", first, "--train", NEW, "--dev", DEV, "--replay", f"{OLD}=0.5", "-s", run, *options)
    assert result.status == 0, result.errors
    first.unlink()
    moved = tmp_path / "moved.tar.gz"
    shutil.copy(run / "model.tar.gz", moved)
    again = tmp_path / "again"
    assert roseq("train", run / "config.json", "-s", again, "--quiet").status == 0
    assert [
        name
        for name, value in weights(run / "best.th").items()
        if not torch.equal(value, weights(again / "best.th")[name])
    ] == []
    shutil.rmtree(run)
    shutil.rmtree(again)
    assert roseq("evaluate", moved, DEV, "--quiet").status == 0
    assert roseq("predict", moved, "fixtures/sentences.txt", "--output-file", tmp_path / "out").status == 0
    assert roseq("archive", moved, tmp_path / "safe.tar.gz").status == 0
    twice = ["finetune", tmp_path / "safe.tar.gz", "--train", OLD, "-s", run, *options]
    assert (result := roseq(*twice)).status == 0, result.errors
    labels = load_archive(run / "model.tar.gz").model.vocab.get_token_to_index_vocabulary("labels")
    assert {"U-LOC", "U-person"} <= labels.keys()


def test_other_commands_open_it(archive, tmp_path, roseq):
    run = tmp_path / "run"
    begin(FineTuning(str(archive("learned")), NEW, DEV, overrides={"trainer.num_epochs": 1}), run)
    path = trained(run)
    lines = [
        ("report", path, DEV, "-o", tmp_path / "report.html"),
        ("noise", path, DEV, "-o", tmp_path / "noise.svg", "--levels", "0.1"),
        ("compare", path, run, DEV),
    ]
    for line in lines:
        assert (result := roseq(*line)).status == 0, result.errors


def test_an_encoder_brings_no_other_files(archive, tmp_path):
    with tarfile.open(archive("frozen")) as members:
        members.extractall(tmp_path / "more", filter="data")
    (tmp_path / "more" / "encoder" / "pytorch_model.bin").write_bytes(b"x")
    with tarfile.open(tmp_path / "more.tar.gz", "w:gz") as members:
        for path in (tmp_path / "more").iterdir():
            members.add(path, path.name)
    begin(FineTuning(str(tmp_path / "more.tar.gz"), NEW), tmp_path / "run")
    names = {path.name for path in (tmp_path / "run" / "encoder").iterdir()}
    assert names == {"config.json", "layout.json", "tokenizer.json"}


def test_new_types_are_declared(archive, tmp_path):
    begin(FineTuning(str(archive("learned")), NEW, types=["LOC", "PER"]), tmp_path / "run")
    settings = json.loads((tmp_path / "run" / "config.json").read_text())
    (declared,) = [part["types"] for part in settings["trainer"]["callbacks"] if part["type"] == "declared_types"]
    assert declared[-3:] == ["product", "LOC", "PER"] and "person" in declared


def test_a_tagger_with_tau_has_its_label_weights_counted(archive, tmp_path):
    callbacks = {"trainer.callbacks": ["finite_loss"]}
    begin(FineTuning(str(archive("learned")), NEW, overrides=callbacks), tmp_path / "run")
    settings = json.loads((tmp_path / "run" / "config.json").read_text())
    assert settings["trainer"]["callbacks"] == ["finite_loss", {"type": "label_statistics"}]


def test_label_weights_are_counted_over_what_is_trained_on(archive, tmp_path):
    run = tmp_path / "run"
    replay = {OLD: 0.4}
    begin(FineTuning(str(archive("learned")), NEW, DEV, replay=replay, overrides={"trainer.num_epochs": 1}), run)
    model = load_archive(trained(run)).model
    lines = (run / DATA).read_text(encoding="utf-8").splitlines()
    spelling = {"E": "L", "S": "U"}
    counts = Counter(spelling.get(tag[0], tag[0]) + tag[1:] for tag in (line.split("\t")[1] for line in lines if line))
    labels = list(model.vocab.get_token_to_index_vocabulary("labels"))
    expected = label_weights({label: counts[label] for label in labels}, 0.25)
    assert model.crf.label_weights.tolist() == pytest.approx([expected[label] for label in labels])
    assert counts["U-person"] and counts["U-LOC"]


def sentences(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").strip().split("\n\n")


@pytest.mark.parametrize(
    ("before", "train", "name"),
    [
        ("wnut16", "corpus://wnut17/train", "wnut16+wnut17.conll"),
        ("wnut16+wnut17.conll", "a dir/my file.conll", "wnut16+wnut17+my-file.conll"),
        ("", "mine.jsonl", "mine.jsonl.conll"),
        ("a" * 300, "b", "a" * 198 + "+b.conll"),
        ("é" * 150, "b", "é" * 99 + "+b.conll"),  # two bytes each
    ],
)
def test_the_data_of_a_run_are_named_by_what_it_was_trained_on(before, train, name):
    assert finetuning._name_of(before, train) == name


def test_replay_is_a_share_of_the_sentences_and_the_same_for_the_same_seed(archive, tmp_path):
    runs = []
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        seeds = {"random_seed": seed}
        request = FineTuning(str(archive("fixed")), NEW, replay={OLD: 0.3}, overrides=seeds, unmarked="O")
        begin(request, tmp_path / name)
        runs.append(sentences(tmp_path / name / DATA))
    begin(FineTuning(str(archive("fixed")), NEW), tmp_path / "without")
    new = sentences(tmp_path / "without" / DATA)
    begin(FineTuning(str(archive("fixed")), OLD), tmp_path / "old")
    old = sentences(tmp_path / "old" / "wnut17train+wnut17train.conll")
    assert runs[0] == runs[1] != runs[2]
    assert all(run[: len(new)] == new and len(run) == len(new) + round(0.3 * len(old)) for run in runs)
    assert set(runs[0][len(new) :]) <= set(old)


@pytest.mark.parametrize(
    "text",
    [
        "Oslo B-LOC\nFjord I-LOC\nis O\n\n",
        "Oslo I-LOC\nFjord I-LOC\nis O\n\n",
        "Oslo\tx\tB-LOC\nFjord\ty\tE-LOC\nis\tz\tO\n\n",
    ],
)
def test_files_of_any_scheme(text, archive, tmp_path):
    (tmp_path / "new").write_text(text)
    begin(FineTuning(str(archive("fixed")), str(tmp_path / "new")), tmp_path / "run")
    assert (tmp_path / "run" / "wnut17train+new.conll").read_text() == "Oslo\tB-LOC\nFjord\tE-LOC\nis\tO\n\n"


def test_files_of_annotation_tools(archive, tmp_path):
    row = {"text": "Oslo Fjord is", "label": [[0, 10, "LOC"]]}
    (tmp_path / "new.jsonl").write_text(json.dumps(row) + "\n")
    file = str(tmp_path / "new.jsonl")
    begin(FineTuning(str(archive("fixed")), file, file, overrides={"trainer.num_epochs": 1}), tmp_path / "run")
    assert (tmp_path / "run" / "wnut17train+new.jsonl.conll").read_text() == "Oslo\tB-LOC\nFjord\tE-LOC\nis\tO\n\n"
    reader = load_archive(trained(tmp_path / "run")).validation_dataset_reader
    assert next(iter(reader.read(file)))["metadata"]["tags"] == ["B-LOC", "L-LOC", "O"]  # type: ignore[index]
    assert len(list(reader.read(OLD))) > 100


def test_types_that_are_not_named_are_left_out(archive, tmp_path):
    begin(FineTuning(str(archive("fixed")), NEW, types=["PER"]), tmp_path / "run")
    text = (tmp_path / "run" / DATA).read_text(encoding="utf-8")
    assert "-PER" in text and "-LOC" not in text
    labels = (tmp_path / "run" / "vocabulary" / "labels.txt").read_text().split()
    assert "U-PER" in labels and "U-LOC" not in labels


def file_of_vectors(path: Path, archive_path: Path, change: float = 0.0) -> Path:
    """The vectors of an archive, and one that it lacks."""
    model = load_archive(archive_path).model
    table = dict(model.named_parameters())["_text_field_embedder.token_embedder_tokens.weight"]
    words = model.vocab.get_index_to_token_vocabulary("tokens")
    rows = [f"{words[i]} {' '.join(f'{x + change:.5f}' for x in table[i].tolist())}" for i in range(2, len(words))]
    path.write_text("\n".join([*rows, "häuser " + " ".join(["0.25"] * table.size(1))]) + "\n", encoding="utf-8")
    return path


def test_fixed_vectors_of_a_file(archive, tmp_path):
    file = file_of_vectors(tmp_path / "vectors.txt", archive("fixed"))
    begin(FineTuning(str(archive("fixed")), NEW, vectors=str(file)), tmp_path / "run")
    model = not_begun(tmp_path / "run")
    embedder: Any = model._text_field_embedder.token_embedder_tokens
    index = model.vocab.get_token_index("häuser", "tokens")
    assert index == embedder.weight.size(0) - 1 and embedder.weight[index].tolist() == [0.25] * 20
    other = file_of_vectors(tmp_path / "other.txt", archive("fixed"), 0.1)
    with pytest.raises(ConfigurationError, match="has other vectors than the archive"):
        begin(FineTuning(str(archive("fixed")), NEW, vectors=str(other)), tmp_path / "other")


def test_learned_vectors_begin_with_those_of_a_file(archive, tmp_path):
    (tmp_path / "vectors.txt").write_text("rotterdam" + " 0.5" * 10 + "\n")
    (tmp_path / "new").write_text("Rotterdam B-LOC\nRotterdam B-LOC\nquijote B-LOC\nquijote B-LOC\n\n")
    vectors = str(tmp_path / "vectors.txt")
    begin(FineTuning(str(archive("learned")), str(tmp_path / "new"), vectors=vectors), tmp_path / "run")
    model = not_begun(tmp_path / "run")
    table: Any = model._text_field_embedder.token_embedder_tokens.weight
    assert table[model.vocab.get_token_index("rotterdam", "tokens")].tolist() == [0.5] * 10
    assert torch.equal(table[model.vocab.get_token_index("quijote", "tokens")], table[1])


def test_characters_and_shapes(archive, tmp_path):
    (tmp_path / "new").write_text("ßßß B-LOC\nßßß O\nß1ß1 O\nß1ß1 O\n\n", encoding="utf-8")
    begin(FineTuning(str(archive("learned")), str(tmp_path / "new")), tmp_path / "run")
    vocab = not_begun(tmp_path / "run").vocab
    assert "ß" in vocab.get_token_to_index_vocabulary("token_characters")
    assert word_shape("ß1ß1") in vocab.get_token_to_index_vocabulary("orthographic")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"train": "nope.conll"}, "nope.conll: no such file"),
        ({"replay": {OLD: 0.0}}, "above 0 and at most 1"),
        ({"replay": {OLD: 1.5}}, "above 0 and at most 1"),
        ({"replay": {OLD: "x"}}, "above 0 and at most 1"),
        ({"types": ["PERS"]}, "no entity of the type PERS; its types are LOC, MISC, ORG, PER"),
        ({"train": "{none}"}, "has no entity"),
        ({"replay": {"{foreign}": 1.0}}, "entities of the type Z, which neither the archive nor"),
        ({"archive": NEW}, "cannot be read as an archive"),
        ({"types": []}, "types: name at least one"),
        ({"types": [""]}, "types: name at least one"),
        ({"types": "LOC"}, "types: must be of type list"),
        ({"replay": [OLD]}, "must be an object of files and shares"),
        ({"layer_decay": 2.0}, "layer_decay must be above 0"),
        ({"overrides": {"model.fusion.hidden_dims": 3, "model.nope": 1}}, "fit"),
        ({"overrides": {"model.encoder.hidden_size": 4, "model.fusion.input_dim": 8}}, "Change no sizes"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(request_, message, archive, tmp_path):
    files = {"{none}": tmp_path / "none", "{foreign}": tmp_path / "foreign"}
    files["{none}"].write_text("a O\nb O\n\n")
    files["{foreign}"].write_text("a B-Z\nb O\n\n")
    text = json.dumps(request_)
    for name, path in files.items():
        text = text.replace(name, str(path))
    values: dict[str, Any] = {"archive": str(archive("fixed")), "train": NEW, **json.loads(text)}
    if message == "fit":
        values["overrides"] = {"nope.nope": 1}
        message = "overrides"
    with pytest.raises(ConfigurationError) as caught:
        begin(FineTuning(**values), tmp_path / "run")
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"none", "foreign"}


def test_a_directory_that_is_not_empty(archive, tmp_path):
    request_ = FineTuning(str(archive("fixed")), NEW)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").touch()
    with pytest.raises(ConfigurationError, match="is not empty"):
        begin(request_, tmp_path / "run")
    begin(request_, tmp_path / "run", force=True)
    assert not (tmp_path / "run" / "file").exists()
    with pytest.raises(ConfigurationError, match="has not begun there"):
        begin(request_, tmp_path / "other", recover=True)
    with pytest.raises(ConfigurationError, match="another value of types"):
        begin(request_._replace(types=["LOC"]), tmp_path / "run", recover=True)
    epochs = {"trainer.num_epochs": 40}
    assert begin(request_._replace(overrides=epochs), tmp_path / "run", recover=True) == epochs


def test_a_run_can_take_the_place_of_its_archive(archive, tmp_path):
    (tmp_path / "run").mkdir()
    shutil.copy(archive("fixed"), tmp_path / "run" / "model.tar.gz")
    request_ = FineTuning(str(tmp_path / "run" / "model.tar.gz"), NEW)
    with pytest.raises(ConfigurationError, match="no entity of the type X"):
        begin(request_._replace(types=["X"]), tmp_path / "run", force=True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["model.tar.gz"]
    begin(request_, tmp_path / "run", force=True)
    assert not (tmp_path / "run" / "model.tar.gz").exists() and not_begun(tmp_path / "run")


def test_a_model_of_another_kind(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(finetuning, "Tagger", TaggerEnsemble)
    with pytest.raises(ConfigurationError, match="its model is a LabelAwareCrfTagger; fine-tuning is for"):
        begin(FineTuning(str(archive("fixed")), NEW), tmp_path / "run")


def test_columns_of_another_layout(archive, tmp_path):
    (tmp_path / "new").write_text("Oslo U-LOC x\nis O x\n\n")
    with pytest.raises(ConfigurationError, match="'x' is no tag"):
        begin(FineTuning(str(archive("fixed")), str(tmp_path / "new")), tmp_path / "run")
    column = {"validation_dataset_reader.tag_column": 1, "dataset_reader.max_length": 1}
    begin(FineTuning(str(archive("fixed")), str(tmp_path / "new"), overrides=column), tmp_path / "run")
    assert (tmp_path / "run" / "wnut17train+new.conll").read_text() == "Oslo\tS-LOC\nis\tO\n\n"
    assert json.loads((tmp_path / "run" / "config.json").read_text())["dataset_reader"]["max_length"] == 1


def rewritten(source: Path, target: Path, change) -> Path:
    """An archive with another config."""
    with tarfile.open(source) as members:
        members.extractall(target, filter="data")
    settings = json.loads((target / "config.json").read_text())
    change(settings)
    (target / "config.json").write_text(json.dumps(settings))
    (target / "weights.th").rename(target / "best.th")
    return Path(archive_model(target))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer", {"type": "subprocess.Popen", "args": ["mkdir", "{marker}"]}),
        ("callbacks", [{"type": "os.mkdir", "path": "{marker}"}]),
        ("callbacks", [{"type": "declared_types", "types": [], "serialization_dir": "{marker}"}]),
        ("checkpointer", {"type": "atomic", "serialization_dir": "{marker}"}),
        ("type", "subprocess.Popen"),
        ("learning_rate_scheduler", {"type": "os.mkdir"}),
        ("num_epochs", 10**9),
        ("nope", 1),
    ],
)
def test_a_hostile_trainer(key, value, archive, tmp_path):
    marker = tmp_path / "marker"
    value = json.loads(json.dumps(value).replace("{marker}", str(marker)))
    path = rewritten(archive("fixed"), tmp_path / "hostile", lambda settings: settings["trainer"].update({key: value}))
    load_archive(path)  # which reads no trainer
    with pytest.raises(ConfigurationError, match="refused|does not fit this version"):
        begin(FineTuning(str(path), NEW), tmp_path / "run")
    assert not marker.exists() and not (tmp_path / "run").exists()


def test_what_belongs_to_a_machine_is_not_taken_over(archive, tmp_path):
    def change(settings):
        settings["trainer"].update(cuda_device=3, use_amp=True)
        settings["distributed"] = {"cuda_devices": [0, 1]}

    path = rewritten(archive("fixed"), tmp_path / "other", change)
    begin(FineTuning(str(path), NEW), tmp_path / "run")
    settings = json.loads((tmp_path / "run" / "config.json").read_text())
    assert not {"cuda_device", "use_amp"} & settings["trainer"].keys() and "distributed" not in settings


def test_the_function_for_jsonnet_does_the_same(archive, tmp_path, roseq):
    path = tmp_path / "config.jsonnet"
    options = {"replay": {OLD: 0.5}, "overrides": {"trainer.num_epochs": 1}}
    path.write_text(
        f"(import '{LIB}/finetune.libsonnet')('{archive('learned')}', {{ train: '{NEW}', dev: '{DEV}' }}, {json.dumps(options)})"
    )
    assert (result := roseq("train", path, "-s", tmp_path / "roseq", "--quiet")).status == 0, result.errors
    train_model(Params.from_file(path), str(tmp_path / "allennlp"), file_friendly_logging=True)
    begin(requested(json.loads(evaluate_snippet("", path.read_text()))), tmp_path / "function")
    trained(tmp_path / "function")
    runs = [weights(tmp_path / name / "best.th") for name in ("function", "roseq", "allennlp")]
    assert all(torch.equal(value, run[name]) for run in runs for name, value in runs[0].items())
    settings = [(tmp_path / name / "config.json").read_text() for name in ("function", "allennlp")]
    assert json.loads(settings[0]) == json.loads(settings[1].replace("/allennlp/", "/function/"))
    load_archive(tmp_path / "allennlp" / "model.tar.gz")


@pytest.mark.parametrize(
    "part",
    [
        {"model": {"type": "from_archive", "archive_file": "x.tar.gz"}},
        {"model": {"type": "tagger_ensemble", "member": {"type": "from_archive", "archive_file": "x"}}},
        {"vocabulary": {"type": "from_archive"}},
        {"model": {"encoder": {"_pretrained": {"archive_file": "x", "module_path": "_encoder"}}}},
    ],
)
def test_from_archive_in_a_config_is_refused(part):
    with pytest.raises(ConfigurationError, match="roseq finetune ARCHIVE"):
        check_is_new({"train_data_path": "x", **part})
    check_is_new(config("learned(10)"))


@KINDS
@pytest.mark.parametrize("groups", [False, True])
def test_rates_fall_with_the_depth_and_each_weight_has_one(kind, groups, archive):
    from allennlp.training.optimizers import Optimizer

    model = load_archive(archive(kind)).model
    given = [[["token_embedder_tokens[.]encoder[.]"], {"lr": 0.01}]] if groups else None
    trainer: dict[str, Any] = {"optimizer": {"type": "adam", "lr": 1.0, "parameter_groups": given}}
    with_layer_decay(trainer, model, 0.5)
    parameters = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    optimizer = Optimizer.from_params(Params(trainer["optimizer"]), model_parameters=parameters)  # type: ignore[arg-type]
    rates = {id(value): group["lr"] for group in optimizer.param_groups for value in group["params"]}
    assert len(rates) == len(parameters)
    by_name = {name.split("_members.0.")[-1]: rates[id(value)] for name, value in parameters}
    assert by_name["_emission_layer.weight"] == by_name["crf.transitions"] == 1.0
    assert by_name["_fusion._linear_layers.0.weight"] == 0.5
    assert {rate for name, rate in by_name.items() if name.startswith("_encoder.")} == {0.25}
    embedder = "_text_field_embedder.token_embedder_"
    assert by_name[f"{embedder}token_characters.embedding.weight"] == 0.125
    if kind == "tuned":
        base = 0.01 if groups else 1.0
        prefix = f"{embedder}tokens.encoder."
        assert by_name[f"{prefix}encoder.layer.1.output.dense.weight"] == pytest.approx(base * 0.5**4)
        assert by_name[f"{prefix}encoder.layer.0.output.dense.weight"] == pytest.approx(base * 0.5**5)
        assert by_name[f"{prefix}embeddings.word_embeddings.weight"] == pytest.approx(base * 0.5**6)
