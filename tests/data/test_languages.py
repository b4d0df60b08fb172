from collections import Counter

import pytest

from roseq_allennlp.data.languages import language_of


@pytest.mark.parametrize(
    "file, language",
    [
        ("conll2002/ned.train", "nl"),
        ("conll2002/esp.testa", "es"),
        ("conll2003/eng.train", "en"),
        ("wnut17/wnut17train.conll", "en"),
    ],
)
def test_the_corpora(repository, file, language):
    lines = (repository / "fixtures" / file).read_text(encoding="utf-8").splitlines()
    assert language_of(Counter(line.split()[0].lower() for line in lines if line.strip())) == language


@pytest.mark.parametrize(
    "language, text",
    [
        ("de", "der präsident sagte , dass die wahlen in zwei wochen stattfinden und dass das land dafür bereit ist"),
        (
            "pt",
            "o presidente disse que as eleições serão realizadas em duas semanas e que o país está pronto para isso",
        ),
        ("ru", "президент сказал , что выборы пройдут через две недели и что страна к этому готова"),
        (None, "prezident 12 , . Oslo Nordlight"),
        (None, "presiden mengatakan bahwa pemilu akan diadakan dalam dua minggu"),  # Indonesian, or Malay
        (None, ""),
    ],
)
def test_texts(language, text):
    assert language_of(Counter(text.split())) == language
