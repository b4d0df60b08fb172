"""What the benchmarks compute themselves; the other systems are not installed here."""

import torch

from benchmarks import memory, ours, sections


def test_the_long_sentence_has_its_entities_where_they_were(monkeypatch):
    monkeypatch.setattr(ours, "TRAIN", "fixtures/wnut17/wnut17train.conll")
    monkeypatch.setattr(memory, "LONG_SENTENCE", 120)
    long = memory.long_sentence()
    joined = ours.read(ours.TRAIN, 120)
    assert long.words == [word for sentence in joined for word in sentence.words][:120]
    found = [(label, long.words[start:end]) for label, start, end in long.entities]
    known = [(label, words[start:end]) for words, entities in joined for label, start, end in entities]
    assert len(found) > 3 and found == known[: len(found)]
    assert all(end <= 120 for _, _, end in long.entities)


def test_no_size_of_batch_is_measured_once_the_seconds_are_over(monkeypatch):
    """A step of benchmarks/gpu.sh that is stopped has no results at all."""
    monkeypatch.setattr(ours, "TRAIN", "fixtures/wnut17/wnut17train.conll")
    monkeypatch.setattr(ours, "TEST", "fixtures/wnut17/emerging.test.annotated")
    measured = []
    monkeypatch.setattr(sections.ours, "Training", lambda system, components, *_, batch_size: (components, batch_size))

    def measure(training, tokens, device):
        measured.append(training)
        context.until = 0.0
        return {}

    monkeypatch.setattr(sections.by_batch_size, "measure", measure)
    context = sections.Context(torch.device("cpu"), 1, 10, [4, 8])
    assert list(sections.batches(context)) == [] and measured == [("", 4)]
    assert [note.partition(",")[0] for note in context.notes][-1] == "batches of 8"
