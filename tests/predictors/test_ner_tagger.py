import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import pytest
import torch
from allennlp.commands import main
from allennlp.common.checks import ConfigurationError
from allennlp.predictors import Predictor

import roseq_allennlp
from roseq_allennlp.data import tokenizers
from roseq_allennlp.data.dataset_readers import WnutReader
from roseq_allennlp.data.tag_schemes import bioul_to_bioes, invalid_positions
from roseq_allennlp.nn import bfloat16
from roseq_allennlp.predictors import NerTagger, ner_tagger

EMPTY = {"words": [], "tags": [], "entities": []}


def approximately(answer):
    """The answer, with room for rounding in its probabilities."""
    entities = [
        {**entity, "probability": pytest.approx(entity["probability"], abs=1e-4)} for entity in answer["entities"]
    ]
    return {**answer, "entities": entities}


def predict(monkeypatch, archive, data, output, *options):
    """The command `allennlp predict` in this process; its output, a dictionary for each line."""
    command = ["allennlp", "predict", archive, data, "--output-file", output, "--silent"]
    monkeypatch.setattr(sys, "argv", [*map(str, command), "--include-package", "roseq_allennlp", *options])
    main()
    return [json.loads(line) for line in output.read_text().splitlines()]


@pytest.mark.parametrize("load", [Predictor.from_path, roseq_allennlp.load])
def test_the_archive_s_own_predictor_gives_what_is_expected(load, archive_path, repository):
    tagger = load(str(archive_path))
    assert type(tagger) is NerTagger
    sentences = (repository / "fixtures" / "sentences.jsonl").read_text(encoding="utf-8").splitlines()
    expected = archive_path.with_name("predictions.jsonl").read_text(encoding="utf-8").splitlines()
    for sentence, answer in zip(sentences, map(json.loads, expected), strict=True):
        assert answer["entities"]
        assert tagger.predict_json(tagger.load_line(sentence)) == approximately(answer)


MARTA = "Marta Keller flies to Oslo"


@pytest.mark.parametrize(
    "text, entities",
    [
        (MARTA, ["Marta Keller", "Oslo"]),
        ("Marta  Keller is\tin  Lisbon ", ["Marta  Keller", "Lisbon"]),
        ("\n Marta\nKeller\r\n flies to Oslo\n", ["Marta\nKeller", "Oslo"]),
        ("\u00a0Marta\u3000Keller\u00a0flies to Oslo", ["Marta\u3000Keller", "Oslo"]),
        ("😍😍 Marta Keller 👩‍👩‍👧 in Porto 😍", ["Marta Keller", "Porto"]),
        ("cafe\u0301s in Lisbon with e\u0301 Oslo", ["Lisbon", "Oslo"]),
        ("שלום Marta Keller in Lisbon עולם", ["Marta Keller", "Lisbon"]),
        ("\u202bمرحبا\u202c Marta Keller", ["Marta Keller"]),
        ("Oslo's (Lisbon) #Porto", ["Oslo", "Lisbon", "Porto"]),
    ],
)
def test_entities_are_pieces_of_the_text(tagger, text, entities):
    answer = tagger.tag(text)
    assert [entity["text"] for entity in answer["entities"]] == entities
    assert answer.keys() == EMPTY.keys() and len(answer["words"]) == len(answer["tags"])
    assert {tag[0] for tag in answer["tags"]} <= set("BIOES") and not invalid_positions(answer["tags"], "BIOES")
    for entity in answer["entities"]:
        assert entity["text"] == text[entity["start"] : entity["end"]]
        span = slice(entity["start_token"], entity["end_token"])
        assert answer["words"][span] == entity["text"].split()
        assert {tag[2:] for tag in answer["tags"][span]} == {entity["label"]}
        assert 0 < entity["probability"] <= 1


@pytest.mark.parametrize("tokens", [MARTA.split(), tuple(MARTA.split())])
def test_tokens(tagger, tokens):
    answer = tagger.tag_tokens(tokens)
    assert answer == approximately(tagger.tag(MARTA)) == next(tagger.tag_many([tokens]))
    assert tagger.tag_tokens(["New York", "-", "Oslo"])["words"] == ["New York", "-", "Oslo"]  # as they are


class Text(str):
    """A text of a class that no other process could be sent."""

    def __reduce__(self):
        raise TypeError("cannot pickle")


class Odd:
    def __repr__(self):
        raise RuntimeError("cannot be shown")

    __str__ = __reduce__ = __repr__


LOOP: list = []
LOOP.append(LOOP)
NO_TEXT = [None, 3, ["Marta"], b"Marta", {(1, 2): 3}, LOOP, Odd(), Text, lambda: 0, [10**6] * 10**6]
NO_TOKENS = [["Marta", ""], ["Marta", None], [["Marta"]], [b"Marta"], [LOOP], [Odd()], [lambda: 0]]


@pytest.mark.parametrize("wrong", NO_TEXT, ids=lambda wrong: type(wrong).__name__)
def test_what_is_no_text_raises(tagger, wrong):
    with pytest.raises(ValueError, match="must be a string") as error:
        tagger.tag(wrong)
    assert len(str(error.value)) < 100
    assert "must be a string" in tagger.predict_json({"sentence": wrong})["error"]


@pytest.mark.parametrize("wrong", [*NO_TOKENS, "Marta", b"Marta", None, 5, {"Marta": 1}, Odd()])
def test_what_are_no_tokens_raises(tagger, wrong):
    with pytest.raises(ValueError, match="list of strings"):
        tagger.tag_tokens(wrong)
    assert "list of strings" in tagger.predict_json({"tokens": wrong})["error"]


def broken_tokens():
    yield "Marta"
    raise TypeError("of the input's own")


def test_tokens_of_any_iterable(tagger):
    assert tagger.tag_tokens(iter(["Marta", Text("Keller")])) == tagger.tag_tokens(["Marta", "Keller"])
    with pytest.raises(TypeError, match="of the input's own"):
        tagger.tag_tokens(broken_tokens())


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_belongs_to_its_row(tagger, archive_path, processes):
    several = roseq_allennlp.load(archive_path, processes=processes)
    rows = [*NO_TEXT, *NO_TOKENS, Text(MARTA), [Text("Oslo")]]
    good = [at for at, row in enumerate(rows) if isinstance(row, str) or row == ["Marta"] or row == ["Oslo"]]
    answers = list(several.tag_many(rows, batch_size=2))
    assert [at for at, answer in enumerate(answers) if "error" not in answer] == good
    assert answers[-2] == approximately(tagger.tag(MARTA)) and type(answers[-1]["words"][0]) is str
    inputs = [*rows[:3], {"sentence": Odd()}, {"tokens": "Oslo"}, {"sentence": MARTA, "id": Odd()}, {"x": Odd()}] * 90
    answers = several.predict_batch_json(inputs)
    assert answers[5::7] == [approximately(tagger.tag(MARTA))] * 90
    assert sum("error" in answer for answer in answers) == 6 * 90


@pytest.mark.parametrize("wrong", [None, 5, "Marta", b"Marta", {"sentence": "Marta"}, Odd()])
def test_what_is_no_list_raises(tagger, wrong):
    with pytest.raises(ValueError, match="takes many texts"):
        tagger.tag_many(wrong)
    with pytest.raises(ValueError, match="takes a list of inputs"):
        tagger.predict_batch_json(wrong)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, None, "8"])
def test_what_is_no_batch_size_raises(tagger, batch_size):
    with pytest.raises(ValueError, match="batch_size must be at least 1, got"):
        tagger.tag_many(["Marta"], batch_size=batch_size)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 30])
def test_an_error_of_the_input_comes_after_the_answers_before_it(archive_path, tagger, processes, count):
    def texts():
        yield from (f"number {number}" for number in range(count))
        raise ZeroDivisionError("of the input's own")

    several = NerTagger(tagger._model, tagger._dataset_reader, processes=processes)
    answers = several.tag_many(texts(), batch_size=4)
    assert [answer["words"][1] for answer in itertools.islice(answers, count)] == [str(n) for n in range(count)]
    with pytest.raises(ZeroDivisionError, match="own"):
        next(answers)
    assert not multiprocessing.active_children()


def test_tag_many_keeps_the_order_and_does_not_depend_on_the_batch(tagger):
    texts = [MARTA, "", "so " * 40, ["job", "at", "Nordlight", "Labs"], "a", None, "😍", "Lisbon", 7]
    alone = list(tagger.tag_many(texts, batch_size=1))
    assert alone[0]["entities"] and alone[1] == EMPTY and alone[3]["words"] == texts[3]
    assert [place for place, answer in enumerate(alone) if "error" in answer] == [5, 8]
    for batch_size in (2, 64):
        for one, other in zip(alone, tagger.tag_many(iter(texts), batch_size=batch_size), strict=True):
            assert other == (one if "error" in one else approximately(one))


def test_tag_many_is_lazy(tagger):
    taken = []

    def endless():
        for number in itertools.count():
            assert number < 100, "read far ahead of the answers"
            taken.append(number)
            yield f"number {number}"

    answers = list(itertools.islice(tagger.tag_many(endless(), batch_size=4), 6))
    assert [answer["words"] for answer in answers] == [["number", str(number)] for number in range(6)]
    assert len(taken) == 8


ANSWER, ERROR = "an answer", "an error"
GOOD = json.dumps({"sentence": MARTA})
LINES = [
    (GOOD, ANSWER),
    ('{"sentence": ""}', EMPTY),
    ('{"sentence": " \\t\\n\\u00a0 "}', EMPTY),
    ('{"tokens": []}', EMPTY),
    ('{"text": " \\n\\n "}', {**EMPTY, "sentences": []}),
    (json.dumps({"text": MARTA + "\n\n" + MARTA}), ANSWER),
    ('{"text": "Oslo", "tokens": ["Marta"], "id": 3}', ANSWER),
    ('{"tokens": ["\\ud83d"]}', ERROR),
    ('{"text": "a \\ude00"}', ERROR),
    ('{"text": ["Marta"]}', ERROR),
    (GOOD, ANSWER),
    (json.dumps({"sentence": "x" * 10_000}), ANSWER),
    (json.dumps({"tokens": ["😍" * 10_000, "in", "Oslo"]}), ANSWER),
    ('{"sentence": null}', ERROR),
    ("null", ERROR),
    (GOOD, ANSWER),
    ("3", ERROR),
    ('["Marta"]', ERROR),
    ('"Marta"', ERROR),
    ("{}", ERROR),
    ('{"sentence": 3}', ERROR),
    ('{"sentence": ["Marta"]}', ERROR),
    (GOOD, ANSWER),
    ('{"sentence": "Marta', ERROR),
    ("Marta", ERROR),
    ("[" * 100_000, ERROR),
    ('{"tokens": ["Marta", ""]}', ERROR),
    ('{"tokens": "Marta"}', ERROR),
    ('{"tokens": null}', ERROR),
    ('{"sentence": "Marta", "tokens": ["Marta"]}', ERROR),
    ('{"sentence": "\\ud83d"}', ERROR),
    ('{"sentence": "a\\u0000b\\u200b"}', ANSWER),
    (GOOD, ANSWER),
]


@pytest.mark.parametrize("options", [[], ["--batch-size", "3"], ["--batch-size", "100"]])
def test_each_line_gets_an_answer_or_an_error_of_its_own(monkeypatch, tagger, archive_path, tmp_path, options):
    data = tmp_path / "lines.jsonl"
    data.write_text("\n".join(line for line, _ in LINES) + "\n", encoding="utf-8")
    good = approximately(tagger.tag(MARTA))
    results = predict(monkeypatch, archive_path, data, tmp_path / "out.jsonl", *options)
    for result, (line, expected) in zip(results, LINES, strict=True):
        if expected is ERROR:
            assert result.keys() == {"error"} and result["error"]
        elif expected is ANSWER:
            assert result["words"] and len(result["tags"]) == len(result["words"])
            assert line != GOOD or result == good
        else:
            assert result == expected


@pytest.mark.parametrize("options", [[], ["--batch-size", "16"]])
def test_column_files(monkeypatch, tagger, archive_path, tmp_path, options):
    sentences = [MARTA.split(), ["#Nordlight", "😍"], ["so", "happy"], ["Lisbon"]]
    data = tmp_path / "new.conll"
    data.write_text("\n\n".join("\n".join(f"{word}\tO" for word in words) for words in sentences), encoding="utf-8")
    results = predict(monkeypatch, archive_path, data, tmp_path / "out.jsonl", "--use-dataset-reader", *options)
    for result, words in zip(results, sentences, strict=True):
        assert result == approximately(tagger.tag_tokens(words)) and result["words"] == words
    assert [entity["text"] for entity in results[0]["entities"]] == ["Marta Keller", "Oslo"]


def test_top_k(archive_path):
    overrides = {"model.top_k": 3}
    answer = Predictor.from_path(archive_path, overrides=json.dumps(overrides)).tag(MARTA)
    assert len(answer["top_k_tags"]) == 3 and answer["top_k_tags"][0]["tags"] == answer["tags"]
    assert not any(invalid_positions(path["tags"], "BIOES") for path in answer["top_k_tags"])
    assert {tag[0] for path in answer["top_k_tags"] for tag in path["tags"]} <= set("BIOES")


def test_language(tagger, archive_path):
    model, reader = tagger._model, tagger._dataset_reader
    assert reader.language == "en" and tagger.tag("it's Oslo")["words"] == ["it", "'s", "Oslo"]  # the config's
    assert NerTagger(model, reader, language="fr").tag("l'Oslo")["words"] == ["l'", "Oslo"]
    with pytest.raises(ConfigurationError, match="'qq'"):
        NerTagger(model, reader, language="qq")
    with pytest.raises(ConfigurationError, match="'qq'"):
        Predictor.from_path(archive_path, overrides=json.dumps({"dataset_reader.language": "qq"}))


@pytest.fixture(scope="module")
def sentences(repository):
    """Of all lengths, entities in some of them."""
    words = [line.split() for line in (repository / "fixtures" / "sentences.txt").read_text("utf-8").splitlines()]
    return [words[i % len(words)] * (1 + i % 4) + [f"n{i}"] * (i % 7) for i in range(300)] + [["so"] * 1300]


class Unknown(WnutReader):
    """Its instances are those of the columns, but nothing says so."""

    def text_to_instance(self, tokens, tags=None):
        return super().text_to_instance(tokens, tags)


def test_the_table_of_words_gives_what_instances_give(tagger, sentences):
    reader = tagger._dataset_reader
    general = NerTagger(tagger._model, Unknown(token_indexers=reader._token_indexers))
    assert general._word_table is None and tagger._word_table is not None
    for ours, theirs in zip(tagger.tag_many(sentences), general.tag_many(sentences), strict=True):
        assert ours == approximately(theirs)


def test_the_answers_are_those_of_the_model_itself(tagger, sentences):
    reader = tagger._dataset_reader
    instances = [reader.text_to_instance(words) for words in sentences]
    for instance in instances:
        reader.apply_token_indexers(instance)
    outputs = tagger._model.forward_on_instances(instances[:60])
    assert sum(len(output["entities"]) for output in outputs) > 10
    for answer, output in zip(tagger.tag_many(sentences[:60]), outputs, strict=True):
        assert answer["tags"] == bioul_to_bioes(output["tags"])
        probabilities = [entity["probability"] for entity in output["entities"]]
        assert [entity["probability"] for entity in answer["entities"]] == pytest.approx(probabilities, abs=1e-4)


def test_instances_with_tags_or_of_other_words_than_the_model_sees(tagger):
    reader = tagger._dataset_reader
    tagged = reader.text_to_instance(["Marta", "Keller"], ["B-nothing", "L-nothing"])  # no tag of the model's
    other = reader.text_to_instance(["Oslo", "flies"])
    other["metadata"].metadata["words"] = ["OSLO", "fly"]
    first, second = tagger.predict_batch_instance([tagged])[0], tagger.predict_batch_instance([other])[0]
    assert first == approximately(tagger.tag_tokens(["Marta", "Keller"]))
    assert second["words"] == ["OSLO", "fly"] and second["tags"] == tagger.tag_tokens(["Oslo", "flies"])["tags"]
    assert [entity["text"] for entity in second["entities"]] == ["OSLO"]


def test_the_model_gets_batches_of_one_length(tagger, sentences, monkeypatch):
    shapes = []
    forward = type(tagger._model).forward

    def watched(self, tokens, **others):
        shapes.append(tokens["embedded"]["mask"].shape)
        return forward(self, tokens, **others)

    monkeypatch.setattr(type(tagger._model), "forward", watched)
    monkeypatch.setitem(ner_tagger._MAX_TOKENS, "cpu", 256)
    list(tagger.tag_many(sentences))
    assert shapes[-1] == (1, 1300)
    assert all(rows * columns <= (256 if rows > 32 else 4 * 256) for rows, columns in shapes[:-1])
    words = sum(map(len, sentences))
    assert sum(rows * columns for rows, columns in shapes) < 1.15 * words


def test_tokenising_forgets_the_words_of_long_ago(tagger, monkeypatch):
    monkeypatch.setattr(tokenizers, "_MOST_WORDS", 2000)
    answers = tagger.tag_many(f"it's n{number} in Oslo" for number in itertools.count())
    for answer in itertools.islice(answers, 4000):
        assert answer["words"][:2] == ["it", "'s"]
    assert len(tagger._splitter._tokenizer._tokenizer.vocab) < 2100


def test_windows_are_bounded_by_what_is_in_them(tagger, monkeypatch):
    monkeypatch.setattr(ner_tagger, "_WINDOW_SIZE", 1000)

    def endless():
        for number in itertools.count():
            assert number < 4, "read far ahead of the answers"
            yield ["so"] * 300

    assert len(next(tagger.tag_many(endless()))["words"]) == 300


@pytest.mark.parametrize("load", [roseq_allennlp.load, lambda path, **options: Predictor.from_path(path, **options)])
def test_several_processes_give_the_same_in_order(load, tagger, archive_path, sentences):
    several = load(str(archive_path), processes=2)
    mixed = [*sentences, None, "", MARTA, 7]
    expected = [answer if "error" in answer else approximately(answer) for answer in tagger.tag_many(mixed)]
    answers = several.tag_many(mixed, batch_size=32)
    assert next(answers) == expected[0] and len(multiprocessing.active_children()) == 2
    assert list(answers) == expected[1:] and not multiprocessing.active_children()

    answers = several.tag_many(itertools.cycle(mixed), batch_size=4)
    assert list(itertools.islice(answers, 10)) == expected[:10] and multiprocessing.active_children()
    answers.close()
    assert not multiprocessing.active_children()

    assert several.tag(MARTA) == expected[-2] and list(several.tag_many(mixed)) == expected
    assert several.predict_batch_json([{"tokens": ["Oslo"]}] * 200)[7]["tags"] == ["S-location"]
    assert not multiprocessing.active_children()  # little stays in this process
    inputs = [{"tokens" if isinstance(item, list) else "sentence": item} for item in mixed[:-1]] * 2
    assert several.predict_batch_json(inputs) == expected[:-1] * 2
    assert len(multiprocessing.active_children()) == 2
    instances = [several._dataset_reader.text_to_instance(words) for words in sentences]
    assert several.predict_batch_instance(instances) == expected[: len(sentences)]
    several._pool.close()
    assert not multiprocessing.active_children()


# No `if __name__ == "__main__"`, several threads used before, a generator left open at the end.
SCRIPT = """
import sys, torch, roseq_allennlp
assert torch.get_num_threads() == 2
sentences = [["Marta", "Keller", "in", "Oslo"] * (1 + n % 9) for n in range(300)]
alone = [answer["tags"] for answer in roseq_allennlp.load(sys.argv[1]).tag_many(sentences)]
torch.randn(2000, 2000) @ torch.randn(2000, 2000)
tagger = roseq_allennlp.load(sys.argv[1], processes=2)
tagger.tag_tokens(sentences[8])
assert [answer["tags"] for answer in tagger.tag_many(sentences, batch_size=50)] == alone
answers = tagger.tag_many(sentences * 5, batch_size=50)
print(next(answers)["tags"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are spawned")
def test_several_processes_after_several_threads_in_a_plain_script(archive_path, monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-W", "ignore", tmp_path / "script.py", archive_path]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=180)
    assert result.returncode == 0 and not result.stderr, result.stderr
    assert result.stdout == "['B-person', 'E-person', 'O', 'S-location']\n"


def test_several_processes_where_there_is_no_fork(archive_path, tagger, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    sentences = [MARTA.split()] * 6
    several = roseq_allennlp.load(archive_path, processes=2)
    assert list(several.tag_many(sentences, batch_size=3)) == [approximately(tagger.tag_tokens(sentences[0]))] * 6


class Elsewhere(multiprocessing.get_context("fork").Process):
    """Tags in a process of the program's own."""

    def __init__(self, tagger, daemon):
        super().__init__(daemon=daemon)
        self.tagger, self.answers = tagger, multiprocessing.get_context("fork").SimpleQueue()

    def run(self):
        torch.set_num_threads(1)
        tags = [answer["tags"] for answer in self.tagger.tag_many([MARTA.split()] * 40, batch_size=8)]
        self.answers.put((self.tagger.tag(MARTA)["tags"], tags))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are spawned")
@pytest.mark.parametrize("daemon", [False, True])
def test_in_a_fork_of_the_program(tagger, daemon):
    several = NerTagger(tagger._model, tagger._dataset_reader, processes=2)
    open_one = several.tag_many([MARTA] * 100, batch_size=8)
    next(open_one)
    process = Elsewhere(several, daemon)
    process.start()
    process.join(30)
    tags = tagger.tag(MARTA)["tags"]
    assert process.exitcode == 0 and process.answers.get() == (tags, [tags] * 40)
    assert len(list(open_one)) == 99


class Program(multiprocessing.get_context("fork").Process):
    """Tags for ever, as the head of a group of processes, with its errors in a file."""

    def __init__(self, tagger, errors):
        super().__init__()
        self.tagger, self.errors, self.tags = tagger, errors, multiprocessing.get_context("fork").Event()

    def run(self):
        os.setsid()
        os.dup2(os.open(self.errors, os.O_WRONLY | os.O_CREAT), 2)
        sys.stderr = open(2, "w", closefd=False)
        torch.set_num_threads(1)
        for number, _ in enumerate(self.tagger.tag_many(itertools.cycle([MARTA]), batch_size=16)):
            if number == 50:
                self.tags.set()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are spawned")
def test_an_interrupt_ends_all_processes(tagger, tmp_path):
    program = Program(NerTagger(tagger._model, tagger._dataset_reader, processes=2), tmp_path / "errors")
    program.start()
    assert program.tags.wait(60)
    try:
        os.killpg(program.pid, signal.SIGINT)
        program.join(60)
    finally:
        program.kill()
    errors = (tmp_path / "errors").read_text()
    assert program.exitcode == 1 and errors.strip().endswith("KeyboardInterrupt"), errors
    assert errors.count("KeyboardInterrupt") == 1, errors
    with pytest.raises(ProcessLookupError):
        os.killpg(program.pid, 0)


def test_processes_of_the_command(monkeypatch, archive_path, tmp_path, tagger):
    data = tmp_path / "lines.jsonl"
    data.write_text((json.dumps({"sentence": MARTA}) + "\nno JSON\n") * 300, encoding="utf-8")
    options = ["--predictor", "ner_tagger", "--predictor-args", '{"processes": 2}', "--batch-size", "600"]
    results = predict(monkeypatch, archive_path, data, tmp_path / "out.jsonl", *options)
    assert results[::2] == [approximately(tagger.tag(MARTA))] * 300
    assert all(result.keys() == {"error"} for result in results[1::2])


def test_processes_that_cannot_be(tagger, archive_path, monkeypatch):
    with pytest.raises(ConfigurationError, match="at least 1, got 0"):
        roseq_allennlp.load(archive_path, processes=0)
    monkeypatch.setattr(torch.Tensor, "get_device", lambda self: 0)
    with pytest.raises(ConfigurationError, match="`processes` is 2, but the model is on GPU 0"):
        NerTagger(tagger._model, tagger._dataset_reader, processes=2)
    NerTagger(tagger._model, tagger._dataset_reader)


def test_bfloat16_in_threads_leaves_torch_as_it_was(tagger, monkeypatch):
    # As on a CPU that has no LSTM in bfloat16: a switch of torch's is turned for all threads, and back.
    monkeypatch.setattr(bfloat16, "cpu_has_bfloat16_lstm", lambda: False)
    half = NerTagger(tagger._model, tagger._dataset_reader, bfloat16=True)
    threads = [threading.Thread(target=lambda: [half.tag(MARTA) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert torch.backends.mkldnn.enabled


def test_bfloat16(archive_path, tagger, sentences):
    seen = []
    half = roseq_allennlp.load(archive_path, bfloat16=True)
    for layer in (half._model._fusion, half._model._emission_layer):
        layer.register_forward_hook(lambda layer, args, output: seen.append(output.dtype))
    pairs = list(zip(half.tag_many(sentences), tagger.tag_many(sentences), strict=True))
    assert set(seen[::2]) == {torch.bfloat16} and set(seen[1::2]) == {torch.float32}
    tags = [(one, other) for ours, theirs in pairs for one, other in zip(ours["tags"], theirs["tags"], strict=True)]
    assert sum(one == other for one, other in tags) > 0.995 * len(tags)
    ours, theirs = ([entity["probability"] for entity in answer["entities"]] for answer in pairs[0])
    assert ours == pytest.approx(theirs, abs=0.05) and ours != theirs
    assert all(0 <= entity["probability"] <= 1 for answer, _ in pairs for entity in answer["entities"])
    assert not torch.is_autocast_enabled("cpu")
