import subprocess
import sys

import torch.distributed as dist
from allennlp.common import plugins as allennlp_plugins

from roseq_allennlp import plugins


def test_a_plugin_without_all_it_needs_is_left_out(tmp_path, monkeypatch, caplog):
    for name in ("of_allennlp", "of_the_home"):
        (tmp_path / f"{name}.py").write_text("import a_module_that_is_not_installed\n")
    (tmp_path / "whole.py").write_text("")
    (tmp_path / "plugins").write_text("of_the_home\nnot_there\nwhole\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(allennlp_plugins, "DEFAULT_PLUGINS", ("of_allennlp", "not_there_either"))
    monkeypatch.setattr(allennlp_plugins, "GLOBAL_PLUGINS_FILENAME", str(tmp_path / "plugins"))
    plugins.import_plugins()
    assert sys.modules.pop("whole")
    for name in ("of_allennlp", "of_the_home", "not_there"):
        assert f"Plugin {name} could not be loaded: No module named" in caplog.text
    assert "not_there_either" not in caplog.text


def test_a_process_of_a_distributed_run_ends_without_threads_of_its_group(tmp_path, monkeypatch):
    def worker(*args, **kwargs):
        dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", world_size=1, rank=0)
        return "the model"

    monkeypatch.setattr(plugins, "_allennlp_train_worker", worker)
    assert plugins.train_worker(0, None, None) == "the model"
    assert not dist.is_initialized()


def test_all_public_modules_are_imported_without_the_extras():
    """As `allennlp train --include-package roseq_allennlp` does in an installation without any of them."""
    extras = ("cleanlab", "fastapi", "gensim", "ipykernel", "nbclient", "prometheus_client", "ray", "uvicorn")
    code = f"""
import subprocess
import sys
sys.modules.update(dict.fromkeys({extras}))  # None: importing them is an ImportError
from allennlp.common.util import import_module_and_submodules
import_module_and_submodules("roseq_allennlp")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
