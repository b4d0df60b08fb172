"""Where AllenNLP's plugins are, without importing AllenNLP."""

import importlib.util
from pathlib import Path

DEFAULT_PLUGINS = ("allennlp_models", "allennlp_semparse", "allennlp_server")
"""AllenNLP's own, which it imports where they are installed: `allennlp.common.plugins.DEFAULT_PLUGINS`."""


def plugins_are_there() -> bool:
    """Whether one of AllenNLP's is installed, or the user's home names some."""
    return (Path.home() / ".allennlp" / "plugins").is_file() or any(map(importlib.util.find_spec, DEFAULT_PLUGINS))
