import argparse
import os
import re
from pathlib import Path
from typing import Optional

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.parsers.serve import TOKEN_VARIABLE
from roseq_allennlp.console import Console
from roseq_allennlp.predictors import load

_LEAST = {"wait": 0, "queue": 1, "time_limit": 0.001, "max_body": 1, "max_text": 1, "port": 0}
_LAST_PORT = 2**16 - 1


def run(args: argparse.Namespace, console: Console) -> int:
    """Tags what is sent over HTTP, until it is stopped."""
    try:
        from roseq_allennlp._serving.app import create_app
        from roseq_allennlp._serving.server import bound, is_local, serve
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed, which the server needs: pip install 'roseq-allennlp[serve]'."
        ) from error
    from roseq_allennlp._serving.settings import Settings

    # oneDNN keeps code for 1024 shapes of tensors, which batches of all sizes fill with hundreds of MB over hours.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
    for name, least in _LEAST.items():
        if not least <= getattr(args, name) < float("inf"):
            raise ConfigurationError(
                f"--{name.replace('_', '-')} must be at least {least}, got {getattr(args, name):g}."
            )
    if args.port > _LAST_PORT:
        raise ConfigurationError(f"--port must be at most {_LAST_PORT}, got {args.port}.")
    settings = Settings(
        args.wait / 1000, args.queue, args.time_limit, args.max_body, args.max_text, _token(args.token_file)
    )
    paths = _named(args.archives)
    with bound(args.host, args.port) as listener:  # before the taggers are loaded, which takes a while
        taggers = {name: load(path, args.cuda_device) for name, path in paths.items()}
        if settings.token is None and not is_local(listener):
            console.say(
                f"roseq serve: warning: without a token, all who reach {args.host} may use it: see --token-file.",
                "yellow",
            )
        serve(create_app(taggers, settings), listener, settings, console.say)
    return 0


def _named(archives: list[str]) -> dict[str, str]:
    """The archives by name: the one given, or that of the folder, with a number where two are equal."""
    paths: dict[str, str] = {}
    for archive in archives:
        name, _, path = archive.partition("=")
        if not re.fullmatch(r"[\w.-]+", name) or not path or Path(archive).exists():
            path = archive
            file = Path(archive).resolve()
            name = file.parent.name if file.name == "model.tar.gz" else file.name.removesuffix(".tar.gz")
        number, first = 1, name
        while name in paths:
            number += 1
            name = f"{first}-{number}"
        paths[name] = path
    return paths


def _token(file: Optional[str]) -> Optional[str]:
    """The token of the file or of the environment; it must not stand in the command line, which others can see."""
    where, token = f"${TOKEN_VARIABLE}", os.environ.get(TOKEN_VARIABLE)
    if file is not None:
        where = file
        try:
            token = Path(file).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"--token-file {file}: cannot be read: {error}.") from error
    if token is None:
        return None
    token = token.strip()
    if not re.fullmatch(r"[!-~]{8,}", token):
        raise ConfigurationError(
            f"{where}: a token is at least 8 letters, digits or signs of ASCII without a space, such as `openssl rand -hex 32`"
            " prints."
        )
    return token
