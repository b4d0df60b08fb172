"""What the program imports only when it is asked for works then as it does in any other program."""

import subprocess
import sys
from pathlib import Path

import pytest

START = """
import sys
from roseq_allennlp.__main__ import _import_allennlp
from roseq_allennlp.lazy_imports import LAZY, _Waiting
assert "torch" not in sys.modules
_import_allennlp(whole=True)
waiting = {name for name in LAZY if isinstance(getattr(sys.modules.get(name), "__dict__", {}).get("__getattr__"), _Waiting)}
assert waiting >= {"torchvision", "torchvision.ops", "transformers.data", "sklearn", "nltk", "boto3"}, waiting

import torch
from allennlp.common import Params
from allennlp.data import Instance, Token, TokenIndexer, Tokenizer, Vocabulary
from allennlp.data.fields import TextField
from allennlp.modules import TokenEmbedder
from allennlp.training.metrics import Metric
"""
PARTS = {
    "encoder": """
name = sys.argv[1]
indexer = TokenIndexer.from_params(Params({"type": "pretrained_transformer_mismatched", "model_name": name}))
embedder = TokenEmbedder.from_params(Params({"type": "pretrained_transformer_mismatched", "model_name": name}))
field = TextField([Token("Anna"), Token("lives")], {"pieces": indexer})
field.index(Vocabulary())
tensors = field.as_tensor(field.get_padding_lengths())
states = embedder(**{key: value[None] for key, value in tensors["pieces"].items()})
assert states.shape == (1, 2, 16)
""",
    "tokenizer": """
import spacy
spacy.blank("en").to_disk(sys.argv[1] + "/blank")
tokens = Tokenizer.from_params(Params({"type": "spacy", "language": sys.argv[1] + "/blank"})).tokenize("I don't.")
assert [token.text for token in tokens] == ["I", "do", "n't", "."]
""",
    "metrics": """
auc, rank, f1 = (Metric.from_params(Params({"type": name})) for name in ("auc", "spearman_correlation", "fbeta"))
auc(torch.tensor([0.1, 0.9, 0.8, 0.85]), torch.tensor([0, 1, 1, 0]))
assert auc.get_metric() == 0.75
rank(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([3.0, 2.0, 1.0]))
assert rank.get_metric() == -1
f1(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 0]))
assert f1.get_metric()["fscore"] == [1.0, 1.0]
from allennlp.fairness import ClassificationNormalBiasDirection, PCABiasDirection
direction = ClassificationNormalBiasDirection()(torch.randn(4, 3) + 9, torch.randn(4, 3) - 9)
assert direction.shape == (3,)
assert PCABiasDirection()(torch.randn(4, 3)).shape == (3,)
""",
    "pictures": """
from allennlp.data.image_loader import ImageLoader
from allennlp.modules.vision import region_detector
import torchvision.io
torchvision.io.write_png(torch.full((3, 4, 5), 255, dtype=torch.uint8), sys.argv[1] + "/white.png")
loader = ImageLoader.from_params(Params({"type": "torch", "resize": False}))
image, size = loader(sys.argv[1] + "/white.png")
assert size.tolist() == [4, 5] and image.shape[-3] == 3, image.shape
boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
assert region_detector.box_ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist() == [0, 2]
assert torchvision.models.resnet18(weights=None).eval()(torch.rand(1, 3, 32, 32)).shape == (1, 1000)
""",
    "others": """
import numpy
from nltk import Tree
assert Tree.fromstring("(S (N Anna) (V lives))").leaves() == ["Anna", "lives"] and Tree is sys.modules["nltk"].Tree
from transformers.data import glue_compute_metrics
assert glue_compute_metrics("mrpc", numpy.array([1, 0]), numpy.array([1, 1]))["f1"] == 2 / 3
from boto3.session import Session
assert Session(region_name="eu-west-1").region_name == "eu-west-1"
import inspect, sklearn.metrics
assert "def f1_score" in inspect.getsource(sklearn.metrics.f1_score) and not hasattr(sklearn.metrics, "nonesuch")
""",
    "submodules": """
from nltk.tree import Tree
import nltk.internals, torchvision.transforms, sklearn.linear_model
assert Tree is nltk.Tree is sys.modules["nltk.tree"].Tree and nltk.internals.__spec__.origin == nltk.internals.__file__
assert torchvision.transforms.ToTensor()(__import__("numpy").zeros((2, 3, 1))).shape == (1, 2, 3)
assert sklearn.linear_model.LogisticRegression().get_params()["C"] == 1
""",
    "threads": """
import threading
barrier, answers = threading.Barrier(8), []
def ask():
    barrier.wait()
    answers.append((sys.modules["nltk"].word_tokenize.__name__, sys.modules["torchvision"].models.resnet18.__name__))
threads = [threading.Thread(target=ask) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join(60) for thread in threads]
assert answers == [("word_tokenize", "resnet18")] * 8
""",
}


@pytest.mark.parametrize(
    "parts", [["encoder", "tokenizer", "metrics"], ["pictures", "others"], ["submodules"], ["threads"]]
)
def test_what_waits_works_when_it_is_asked_for(parts, tiny_encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    program = tmp_path / "roseq"  # as the console script is called
    program.write_text(START + "".join(PARTS[part] for part in parts))
    (tmp_path / "encoder").symlink_to(tiny_encoder)
    argument = tmp_path / "encoder" if "encoder" in parts else tmp_path
    result = subprocess.run([sys.executable, program, argument], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
