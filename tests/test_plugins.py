import sys

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
