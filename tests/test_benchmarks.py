"""What the benchmarks compute themselves; the other systems are not installed here."""

from benchmarks import memory, ours


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
