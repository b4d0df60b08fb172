"""The adversarial step against the same step written out, and crossed with what else a trainer can do."""

import json
import shutil
from pathlib import Path
from typing import Any, Optional

import pytest
import torch
from allennlp.commands.train import TrainModel
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DataLoader
from allennlp.modules.token_embedders import Embedding
from allennlp.nn.parallel.ddp_accelerator import TorchDdpAccelerator
from allennlp.training.metrics import Metric
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.multiprocessing import start_processes

import roseq_allennlp.training.callbacks.adversarial as adversarial
from roseq_allennlp.modules.token_embedders import TransformerEmbedder, transformer_embedder
from roseq_allennlp.modules.token_embedders.char_cnn_highway import CharCnnHighway
from roseq_allennlp.training.callbacks.adversarial import AdversarialCallback, find_layers
from roseq_allennlp.training.metrics.of_model import unchanged

ROOT = Path(__file__).parents[3]
CHARACTERS = {"type": "char_cnn_highway", "embedding_dim": 4, "num_filters": 3}
TIME_DISTRIBUTED = {
    "type": "character_encoding",
    "embedding": {"embedding_dim": 4, "vocab_namespace": "token_characters"},
    "encoder": {"type": "cnn", "embedding_dim": 4, "num_filters": 9, "ngram_filter_sizes": [2]},
}


def make_trainer(
    directory: Path,
    callbacks: Optional[list[Any]] = None,
    trainable: bool = True,
    characters: dict[str, Any] = CHARACTERS,
    lr: float = 0.1,
    batch_size: int = 4,
    max_instances: int = 20,
    trainer: Optional[dict[str, Any]] = None,
    vocabulary: Optional[dict[str, Any]] = None,
    data_loader: Optional[dict[str, Any]] = None,
    indexers: Optional[dict[str, Any]] = None,
    **model: Any,
) -> Any:
    """A trainer of a small RoSeq on fixtures: 5 batches of 4 sentences, no dropout, plain SGD."""
    torch.manual_seed(0)
    params = {
        "dataset_reader": {
            "type": "conll2002",
            "max_instances": max_instances,
            "token_indexers": indexers
            or {
                "tokens": {"type": "single_id"},
                "token_characters": {"type": "characters", "min_padding_length": 4},
            },
        },
        "train_data_path": str(ROOT / "fixtures/conll2002/ned.train"),
        "datasets_for_vocab_creation": ["train"],
        "vocabulary": vocabulary or {},
        "data_loader": {"batch_size": batch_size, "shuffle": False, **(data_loader or {})},
        "model": {
            "type": "label_aware_crf_tagger",
            "text_field_embedder": {
                "token_embedders": {
                    "tokens": {"type": "embedding", "embedding_dim": 6, "trainable": trainable},
                    "token_characters": characters,
                }
            },
            "encoder": {"type": "lstm", "input_size": 15, "hidden_size": 5, "bidirectional": True},
            "embedding_dropout": 0.0,
            "dropout": 0.0,
            "tau": 0.25,
            "gamma": 2.0,
            **model,
        },
        "trainer": {
            "num_epochs": 1,
            "optimizer": {"type": "sgd", "lr": lr},
            "run_confidence_checks": False,
            "callbacks": [{"type": "label_statistics"}, *(callbacks or [])],
            **(trainer or {}),
        },
    }
    return TrainModel.from_params(
        params=Params(params), serialization_dir=str(directory), local_rank=0, batch_weight_key=""
    ).trainer


def callback_of(trainer: Any) -> AdversarialCallback:
    return next(callback for callback in trainer._callbacks if isinstance(callback, AdversarialCallback))


def one_step(trainer: Any) -> dict[str, torch.Tensor]:
    """Gradients of the first batch, as the trainer computes them."""
    for callback in trainer._callbacks:
        callback.on_start(trainer)
    trainer._pytorch_model.train()
    trainer.optimizer.zero_grad()
    outputs = trainer.batch_outputs(next(iter(trainer.data_loader)), for_training=True)
    called = False
    for callback in trainer._callbacks:
        called |= callback.on_backward(trainer, outputs, called)
    if not called:
        outputs["loss"].backward()
    return {name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.grad is not None}


def assert_same(
    actual: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], atol: float = 2e-6, rtol: float = 2e-5
) -> None:
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            actual[name], value, atol=atol, rtol=rtol, msg=lambda text, name=name: f"{name}: {text}"
        )


def step_of(gradient: torch.Tensor, norm: str, epsilon: float = 3.0) -> torch.Tensor:
    """η of one sentence, `(..., D)`, by the definition of the norm."""
    if norm == "sentence":
        return epsilon * gradient / gradient.norm()
    vectors = gradient.reshape(-1, gradient.size(-1))
    lengths = vectors.norm(dim=1, keepdim=True) if norm == "token" else vectors.norm(dim=0, keepdim=True)
    return (epsilon * vectors / lengths.clamp(min=1e-30)).view_as(gradient)


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("characters", [CHARACTERS, TIME_DISTRIBUTED], ids=["cnn", "time_distributed"])
@pytest.mark.parametrize("norm", ["sentence", "token", "channel"])
def test_the_step_is_the_one_written_out_by_hand(
    tmp_path: Path, trainable: bool, characters: dict[str, Any], norm: str
) -> None:
    adversarial = {"type": "adversarial", "epsilon": 3.0, "norm": norm}
    trainer = make_trainer(tmp_path, [adversarial], trainable=trainable, characters=characters)
    actual = one_step(trainer)
    callback_of(trainer).on_end(trainer)

    model, batch = trainer.model, next(iter(trainer.data_loader))
    for module in model.modules():
        if isinstance(module, CharCnnHighway):
            module._without_padding = module._with_padding  # where each sentence is a row of the layer's output
    layers = [module for module in model.modules() if isinstance(module, Embedding)]
    plain = {layer: layer.forward for layer in layers}
    outputs: dict[torch.nn.Module, torch.Tensor] = {}

    def loss(moved: dict[torch.nn.Module, torch.Tensor]) -> torch.Tensor:
        for layer in layers:

            def forward(tokens: torch.Tensor, layer: torch.nn.Module = layer) -> torch.Tensor:
                outputs[layer] = plain[layer](tokens) + moved.get(layer, 0.0)
                if not outputs[layer].requires_grad:
                    outputs[layer].requires_grad_()
                return outputs[layer]

            layer.forward = forward
        return model(**batch)["loss"]

    clean = loss({})
    sentences = len(batch["metadata"])
    etas = {}
    for layer, gradient in zip(layers, torch.autograd.grad(clean, [outputs[layer] for layer in layers]), strict=True):
        parts = gradient.reshape(sentences, -1, gradient.size(-1))
        etas[layer] = torch.stack([step_of(part, norm) for part in parts]).view_as(gradient)
    total = loss({}) + loss(etas)
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    expected = dict(zip(parameters, torch.autograd.grad(total, list(parameters.values())), strict=True))
    assert ("_text_field_embedder.token_embedder_tokens.weight" in expected) == trainable
    assert_same(actual, expected)


@pytest.mark.parametrize("trainable", [True, False])
def test_epsilon_zero_doubles_the_clean_gradient(tmp_path: Path, trainable: bool) -> None:
    clean = one_step(make_trainer(tmp_path / "a", trainable=trainable))
    doubled = one_step(make_trainer(tmp_path / "b", [{"type": "adversarial", "epsilon": 0.0}], trainable=trainable))
    assert_same(doubled, {name: 2 * gradient for name, gradient in clean.items()})
    moved = one_step(make_trainer(tmp_path / "c", [{"type": "adversarial", "epsilon": 5.0}], trainable=trainable))
    assert not torch.allclose(moved["_emission_layer.weight"], doubled["_emission_layer.weight"], rtol=1e-3)


def test_a_regularisation_penalty_counts_once(tmp_path: Path) -> None:
    penalty = {"regexes": [["_emission_layer.weight", {"type": "l2", "alpha": 10.0}]]}
    name = "_emission_layer.weight"
    trainer = make_trainer(tmp_path / "a", [{"type": "adversarial", "epsilon": 0.0}], regularizer=penalty)
    weight = trainer.model._emission_layer.weight.detach().clone()
    clean = one_step(make_trainer(tmp_path / "b"))[name]
    torch.testing.assert_close(one_step(trainer)[name], 2 * clean + 20.0 * weight)


@pytest.mark.parametrize("scaler", [False, True], ids=["float32", "grad_scaler"])
@pytest.mark.parametrize("accumulate", [1, 2, 4])
@pytest.mark.parametrize("data_loader", [{}, {"max_instances_in_memory": 8}], ids=["in memory", "streamed"])
def test_accumulation_and_loss_scaling(
    tmp_path: Path, accumulate: int, data_loader: dict[str, Any], scaler: bool
) -> None:
    """With ε = 0 an epoch at half the rate ends where plain training does; 5 batches leave a shorter last group."""

    def train(name: str, callbacks: list[Any], lr: float) -> dict[str, torch.Tensor]:
        # Not clipped: clipping would hide a wrong scale.
        options = {"num_gradient_accumulation_steps": accumulate}
        trainer = make_trainer(tmp_path / name, callbacks, lr=lr, trainer=options, data_loader=data_loader)
        if scaler:
            trainer._scaler = torch.amp.GradScaler("cpu")
        if accumulate > 1 and not callbacks and scaler:
            trainer._scaler = None  # AllenNLP's own AMP step does not divide by the group
        trainer.train()
        return trainer.model.state_dict()

    assert_same(train("a", [{"type": "adversarial", "epsilon": 0.0}], 0.05), train("b", [], 0.1))


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("moving_average", [False, True], ids=["", "moving average"])
@pytest.mark.parametrize("clip", [None, "grad_norm", "grad_clipping"])
@pytest.mark.parametrize("scaler", [False, True], ids=["", "grad_scaler"])
def test_crossed_with_what_else_a_trainer_does(
    tmp_path: Path, accumulate: int, moving_average: bool, clip: Optional[str], scaler: bool
) -> None:
    """With ε = 0, half the rate and twice the bound an epoch ends where plain training does."""

    def train(name: str, callbacks: list[Any], factor: float) -> dict[str, torch.Tensor]:
        bounds = {"grad_norm": 0.5, "grad_clipping": 0.02}
        options: dict[str, Any] = {"num_gradient_accumulation_steps": accumulate}
        if clip is not None:
            options[clip] = factor * bounds[clip]
        if moving_average:
            options["moving_average"] = {"type": "exponential", "decay": 0.9}
        trainer = make_trainer(tmp_path / name, callbacks, lr=0.1 / factor, trainer=options)
        if scaler and callbacks:  # AllenNLP's own step with a scaler does not divide by the group
            trainer._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
        trainer.train()
        if moving_average:
            trainer._moving_average.assign_average_value()
        after = trainer.model.state_dict()
        assert not torch.equal(before["_emission_layer.weight"], after["_emission_layer.weight"])
        return after

    plain = train("plain", [], 1.0)
    assert_same(train("with", [{"type": "adversarial", "epsilon": 0.0}], 2.0), plain)
    moved = train("moved", [{"type": "adversarial", "epsilon": 5.0}], 2.0)
    assert not torch.allclose(moved["_emission_layer.weight"], plain["_emission_layer.weight"], rtol=1e-4)


@pytest.mark.parametrize("callbacks", [[], [{"type": "adversarial", "epsilon": 0.0}]], ids=["plain", "with"])
def test_four_batches_of_four_are_one_of_sixteen(tmp_path: Path, callbacks: list[Any]) -> None:
    options = {"num_gradient_accumulation_steps": 4}
    parts = make_trainer(tmp_path / "a", callbacks, max_instances=16, trainer=options)
    whole = make_trainer(tmp_path / "b", callbacks, max_instances=16, batch_size=16)
    for trainer in (parts, whole):
        trainer.train()
    assert_same(parts.model.state_dict(), whole.model.state_dict())


def test_a_step_with_an_infinite_gradient_is_left_out(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, [{"type": "adversarial"}], batch_size=20, trainer={"grad_norm": 5.0})
    trainer._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)  # no gradient is finite under it
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.train()
    weights = {name: value for name, value in trainer.model.state_dict().items() if name != "crf.label_weights"}
    assert all(torch.equal(value, before[name]) for name, value in weights.items())
    assert trainer._scaler.get_scale() == 2.0**126
    other = make_trainer(tmp_path / "b", [{"type": "adversarial"}], batch_size=20, trainer={"grad_norm": 5.0})
    other._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4)
    other.train()
    assert not torch.equal(other.model.state_dict()["_emission_layer.weight"], before["_emission_layer.weight"])


def test_metrics_parameters_and_hooks_are_left_as_they_were(tmp_path: Path) -> None:
    callback = {"type": "adversarial", "epsilon": 5.0}
    trainer = make_trainer(tmp_path, [callback], trainable=False, decode_in_training=True)
    model = trainer.model
    before = {name: (p.detach().clone(), p.requires_grad) for name, p in model.named_parameters()}
    one_step(trainer)
    batch = next(iter(trainer.data_loader))
    assert model._f1._score.tokens == sum(len(entry["words"]) for entry in batch["metadata"])
    assert model._losses["crf_loss"]._count == 1
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter, before[name][0], rtol=0, atol=0)
        assert parameter.requires_grad == before[name][1]

    metrics = model.get_metrics()
    clean = metrics["crf_loss"] + metrics["focal_loss"]
    assert metrics["adversarial_loss"] > clean
    model.eval()
    model(**batch)  # no hook touches evaluation
    assert "adversarial_loss" not in model.get_metrics()
    callback_of(trainer).on_end(trainer)
    assert "get_metrics" not in vars(model)
    assert isinstance(trainer.data_loader, DataLoader)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_the_adversarial_loss_is_logged_beside_the_clean_one(tmp_path: Path) -> None:
    options = {"moving_average": {"type": "exponential", "decay": 0.9}, "grad_norm": 5.0, "grad_clipping": 1.0}
    options["run_confidence_checks"] = True
    make_trainer(tmp_path, [{"type": "adversarial"}], trainer=options).train()
    metrics = json.loads((tmp_path / "metrics_epoch_0.json").read_text())
    clean = metrics["training_crf_loss"] + metrics["training_focal_loss"]
    assert metrics["training_loss"] == pytest.approx(clean, rel=1e-5)
    assert metrics["training_adversarial_loss"] > clean


@pytest.mark.parametrize("calls, message", [((2, 1), "used 2 fewer of"), ((1, 2), "used others of")])
def test_a_second_pass_through_other_layers_is_refused(tmp_path: Path, calls: tuple[int, int], message: str) -> None:
    trainer = make_trainer(tmp_path, [{"type": "adversarial"}])
    embedder, passes = trainer.model._text_field_embedder, iter(calls)
    embed = embedder.forward
    embedder.forward = lambda *args, **kwargs: [embed(*args, **kwargs) for _ in range(next(passes))][0]
    with pytest.raises(ConfigurationError, match=message):
        one_step(trainer)


def test_layers_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    compute = adversarial.adversarial_perturbation

    def spy(gradient: torch.Tensor, epsilon: float, num_sentences: int, *args: Any) -> torch.Tensor:
        shapes.append((gradient.dim(), num_sentences))
        return compute(gradient, epsilon, num_sentences, *args)

    monkeypatch.setattr(adversarial, "adversarial_perturbation", spy)
    one_step(make_trainer(tmp_path / "a", [{"type": "adversarial"}]))
    assert sorted(shapes) == [(2, 4), (3, 4)]  # characters, row by row, and words of 4 sentences
    shapes.clear()
    one_step(make_trainer(tmp_path / "b", [{"type": "adversarial", "embedders": ["token_characters"]}]))
    assert shapes == [(2, 4)]
    with pytest.raises(ConfigurationError, match=r"\['words'\].*token_characters.*tokens"):
        one_step(make_trainer(tmp_path / "c", [{"type": "adversarial", "embedders": ["words"]}]))


def test_each_embedding_of_an_embedder_is_a_layer(tmp_path: Path) -> None:
    """On WNUT the shapes of characters have an `Embedding` beside that of the characters."""
    config = Params.from_file("training_configs/fixture.jsonnet").as_dict()
    config.pop("random_seed"), config.pop("numpy_seed"), config.pop("pytorch_seed")
    model = TrainModel.from_params(
        params=Params(config), serialization_dir=str(tmp_path), local_rank=0, batch_weight_key=""
    ).model
    embedder = model._text_field_embedder
    characters = embedder.token_embedder_token_characters
    expected = {
        embedder.token_embedder_tokens,
        embedder.token_embedder_orthographic,
        characters.embedding,
        characters.orthographic_embedding,
    }
    assert len(expected) == 4 and set(find_layers(model, None)) == expected
    assert find_layers(model, ["token_characters"]) == [characters.embedding, characters.orthographic_embedding]


def test_what_a_metric_holds_is_as_before_whatever_it_is() -> None:
    class Lengths(Metric):
        def __init__(self) -> None:
            self.lengths: list[int] = []
            self.by_tag: dict[str, list[int]] = {"O": []}

        def __call__(self, length: int) -> None:  # type: ignore[override]
            self.lengths.append(length)
            self.by_tag["O"].append(length)

        def get_metric(self, reset: bool = False) -> Any:
            return self.lengths, self.by_tag

        def reset(self) -> None: ...

    metric = Lengths()
    metric(3)
    with unchanged([metric]):
        metric(4)
        assert metric.get_metric() == ([3, 4], {"O": [3, 4]})
    assert metric.get_metric() == ([3], {"O": [3]})
    with pytest.raises(RuntimeError), unchanged([metric]):
        metric(4)
        raise RuntimeError
    assert metric.get_metric() == ([3], {"O": [3]})


def test_evaluation_keeps_no_layer_s_output(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, [{"type": "adversarial"}], trainable=False)
    one_step(trainer)
    outputs: list[torch.Tensor] = []
    words = trainer.model._text_field_embedder.token_embedder_tokens
    words.register_forward_hook(lambda module, args, output: outputs.append(output))
    batch = next(iter(trainer.data_loader))
    for training in (False, True):
        trainer.model.train(training)(**batch)
    assert [output.requires_grad for output in outputs] == [False, True]  # though the words are frozen


def test_an_embedder_without_an_embedding_is_moved_at_its_output() -> None:
    class Tagger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder
            from allennlp.modules.token_embedders import PassThroughTokenEmbedder

            self.embedder = BasicTextFieldEmbedder({"vectors": PassThroughTokenEmbedder(3)})

    model = Tagger()
    assert find_layers(model, None) == [model.embedder.token_embedder_vectors]
    with pytest.raises(ConfigurationError, match="Linear has none"):
        find_layers(torch.nn.Linear(1, 1), None)


def test_a_nan_adversarial_loss_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(tmp_path, [{"type": "adversarial"}])
    compute = adversarial.adversarial_perturbation
    monkeypatch.setattr(adversarial, "adversarial_perturbation", lambda *args: compute(*args) * float("nan"))
    with pytest.raises(ValueError, match="nan adversarial loss"):
        trainer.train()


@pytest.mark.parametrize("epsilon", [-1.0, float("nan"), float("inf")])
def test_epsilon_is_checked(epsilon: float) -> None:
    with pytest.raises(ConfigurationError, match="epsilon"):
        AdversarialCallback("", epsilon=epsilon)


def test_a_second_backward_is_refused(tmp_path: Path) -> None:
    callbacks = [{"type": "mixed_precision_backward"}, {"type": "adversarial"}]
    trainer = make_trainer(tmp_path, callbacks)
    trainer._scaler = torch.amp.GradScaler("cpu")
    with pytest.raises(ConfigurationError, match="mixed_precision_backward"):
        trainer.train()


def _distributed_step(rank: int, directory: str) -> None:
    # Meeting at a file, not at a port that another run may hold.
    torch.distributed.init_process_group("gloo", init_method=f"file://{directory}/store", world_size=2, rank=rank)
    # Each worker reads every other sentence: 2 batches of 2 make the 4 sentences of one process.
    trainer = make_trainer(
        Path(directory) / str(rank),
        [{"type": "adversarial", "epsilon": 3.0}],
        batch_size=2,
        vocabulary={"type": "from_files", "directory": f"{directory}/one/vocabulary"},
    )
    _, trainer._ddp_wrapped_model = TorchDdpAccelerator(local_rank=rank, world_size=2).wrap_model(trainer.model)
    trainer._distributed = True
    reductions = []

    def count(state: Any, bucket: torch.distributed.GradBucket) -> torch.futures.Future[torch.Tensor]:
        reductions.append(bucket.index())
        return allreduce_hook(None, bucket)

    trainer._pytorch_model.register_comm_hook(None, count)
    gradients = one_step(trainer)
    torch.save((gradients, trainer.model.crf.label_weights, len(reductions)), Path(directory) / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_have_the_gradients_of_one_with_the_doubled_batch(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path / "one", [{"type": "adversarial", "epsilon": 3.0}])
    expected = one_step(trainer)
    start_processes(_distributed_step, (str(tmp_path),), nprocs=2, start_method="fork")
    for rank in range(2):
        gradients, label_weights, reductions = torch.load(tmp_path / f"{rank}.pt")
        assert_same(gradients, expected)
        torch.testing.assert_close(label_weights, trainer.model.crf.label_weights, rtol=0, atol=0)
        assert reductions == 1  # one bucket, reduced once


@pytest.mark.parametrize("norm", ["sentence", "token", "channel"])
@pytest.mark.parametrize("tuned", [True, False])
def test_the_step_at_an_encoder_is_the_one_written_out_by_hand(
    tmp_path: Path, tiny_encoder: Path, norm: str, tuned: bool
) -> None:
    """At the vectors of pieces of a tuned encoder, windows of long sentences included, and at the output of a frozen one."""
    directory = tmp_path / "run"
    params = {"type": "transformer", "model_name": str(tiny_encoder)}
    # Without dropout: the second pass would draw anew.
    config = json.loads((tiny_encoder / "config.json").read_text())
    folder = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, folder)
    config.update(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    (folder / "config.json").write_text(json.dumps(config))
    params["model_name"] = str(folder)
    trainer = make_trainer(
        directory,
        [{"type": "adversarial", "epsilon": 3.0, "norm": norm}],
        indexers={"tokens": params},
        text_field_embedder={"token_embedders": {"tokens": {**params, "trainable": tuned, "window": 20}}},
        encoder={"type": "bidirectional_lstm", "hidden_size": 5},
    )
    if not tuned:
        torch.nn.init.normal_(embedder_of(trainer.model)._mix)
    actual = one_step(trainer)
    callback_of(trainer).on_end(trainer)

    model, batch = trainer.model, next(iter(trainer.data_loader))
    embedder = embedder_of(model)
    assert (batch["tokens"]["tokens"]["num_pieces"].sum(1) > embedder._size).any()
    layer = embedder.encoder.get_input_embeddings() if tuned else embedder
    plain, rows = layer.forward, embedder._rows(batch["tokens"]["tokens"]["num_pieces"].numpy())
    outputs: list[torch.Tensor] = []
    moves: list[torch.Tensor] = []

    def forward(*args: Any, **kwargs: Any) -> torch.Tensor:
        output = plain(*args, **kwargs)
        outputs.append(output + moves.pop(0) if moves else output)
        return outputs[-1]

    layer.forward = forward
    transformer_embedder._GROUPS["cpu"], groups = (10**9, 10**9), transformer_embedder._GROUPS["cpu"]
    try:
        clean = model(**batch)["loss"]
        output = outputs[0]  # the encoder looks them up once more, and takes these
        (gradient,) = torch.autograd.grad(clean, [output], retain_graph=True)
        eta = torch.zeros_like(gradient)
        lengths = [
            int(batch["tokens"]["tokens"]["num_pieces"][row.sentence, slice(*row.window[:2])].sum()) for row in rows
        ]
        order = sorted(range(len(rows)), key=lambda index: -lengths[index])  # of the encoder's rows
        owners = torch.tensor([rows[index].sentence for index in order] if tuned else range(len(gradient)))
        assert (len(owners) > 4) == tuned
        if tuned:  # (pieces, D), row after row
            owners = owners.repeat_interleave(len(gradient) // len(owners))
        for sentence in range(4):
            eta[owners == sentence] = step_of(gradient[owners == sentence], norm)
        assert len(owners) == len(gradient)
        moves.append(eta)
        total = clean + model(**batch)["loss"]
    finally:
        transformer_embedder._GROUPS["cpu"] = groups
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    expected = dict(zip(parameters, torch.autograd.grad(total, list(parameters.values())), strict=True))
    assert any(".encoder." in name for name in expected) == tuned
    assert_same(actual, expected, atol=1e-5, rtol=1e-4)  # rows are computed in other groups


def embedder_of(model: Any) -> TransformerEmbedder:
    return next(module for module in model.modules() if isinstance(module, TransformerEmbedder))


def test_the_norm_is_checked() -> None:
    with pytest.raises(ConfigurationError, match="norm must be one of .*; got 'word'"):
        AdversarialCallback("", norm="word")
