import pytest
from allennlp.common import Params

from roseq_allennlp.training.overrides import OverridesError, changed, parsed, read_config

CONFIG = {"model": {"encoder": {"size": 1}, "layers": [{"a": 1}, {"b": 2}]}, "trainer": {"num_epochs": 3}, "name": "x"}


@pytest.mark.parametrize(
    "overrides",
    [
        "",
        "{}",
        '{"trainer.num_epochs": 4}',
        '{"model.layers.1.b": 3, "model.encoder.new": null}',
        '{"model": {"layers": []}}',
        '{"new": [1]}',
        '{"trainer": {"num_epochs": 1 + 1}}',
    ],
)
def test_as_allennlp_reads_them(overrides, tmp_path):
    path = tmp_path / "config.json"
    Params(CONFIG).to_file(str(path))
    written, config = read_config(path, overrides)
    assert written == CONFIG and config == Params.from_file(path, overrides).params


@pytest.mark.parametrize(
    "overrides, message",
    [
        ("trainer.num_epochs=1", "-o trainer.num_epochs=1: is no JSON (STATIC ERROR: 1:19: not a binary operator: =)."),
        ("{", "-o {: is no JSON ("),
        ("x", "-o x: is no JSON (STATIC ERROR: 1:1: Unknown variable: x)."),
        ("[1]", "-o [1]: must be an object with keys, and is a list."),
        ("3", "-o 3: must be an object with keys, and is a number."),
        ("null", "-o null: must be an object with keys, and is null."),
        ('"a"', '-o "a": must be an object with keys, and is a text.'),
        ('{"trainr.num_epochs": 1}', "-o: `trainr.num_epochs`: the config has no `trainr`; did you mean `trainer`?"),
        ('{"model.encodr.size": 1}', "the config has no `model.encodr`; did you mean `encoder`?"),
        (
            '{"distributed.cuda_devices": [0]}',
            """To add it, give it whole: '{"distributed": {"cuda_devices": [0]}}'.""",
        ),
        ('{"model.new.a.b": 1}', """give it whole: '{"model.new": {"a": {"b": 1}}}'."""),
        ('{"trainer.num_epochs.x": 1}', "`trainer.num_epochs` is 3, which has no keys."),
        ('{"name.x": 1}', '`name` is "x", which has no keys.'),
        ('{"model.layers.2.a": 1}', "`model.layers` is a list of 2, numbered from 0, and has no '2'."),
        ('{"model.layers.b": 1}', "`model.layers` is a list of 2, numbered from 0, and has no 'b'."),
        ('{"model.layers.01.b": 1}', "has no '01'."),
        ('{"trainer": {}, "trainer.num_epochs": 1}', "beside `trainer`, which is replaced as a whole."),
    ],
)
def test_what_does_not_fit(overrides, message):
    with pytest.raises(OverridesError) as caught:
        changed(CONFIG, parsed(overrides))
    assert caught.value.message.startswith("-o") and message in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "config.json not found"),
        (b"{ a: ", "config.json:1:6"),
        (b"[1]", "It must be an object with keys, and is a list."),
        (b"\x00\x01", "cannot be read as a training config."),
        (b"", "cannot be read as a training config."),
        (..., "It is a directory."),
    ],
)
def test_a_file_that_is_no_config(content, message, tmp_path):
    path = tmp_path / "config.json"
    if content is ...:
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(Exception) as caught:
        read_config(path)
    assert type(caught.value) is not OverridesError and str(path) in str(caught.value)
    assert message in str(caught.value) and "\n" not in str(caught.value)
