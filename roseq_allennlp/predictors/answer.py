import html
from itertools import accumulate
from typing import Any


class Answer(dict[str, Any]):
    """An answer of `NerTagger`; a notebook shows its sentence with the entities marked, by displaCy."""

    def _repr_html_(self) -> str:
        from spacy import displacy  # takes long to import

        words = self["words"]
        ends = list(accumulate((len(word) + 1 for word in words), initial=0))  # of the words joined by spaces
        entities = [
            {
                "start": ends[entity["start_token"]],
                "end": ends[entity["end_token"]] - 1,
                "label": entity["label"],  # which chooses the colour; what is shown stands in `params`
                "params": {"label": html.escape(f"{entity['label']} {entity['probability']:.2f}")},
            }
            for entity in self["entities"]
        ]
        page = displacy.render({"text": " ".join(words), "ents": entities}, style="ent", manual=True, jupyter=False)
        return str(page)
