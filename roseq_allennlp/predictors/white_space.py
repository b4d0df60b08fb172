"""White space among the tokens that come in: the model does not see it."""

from typing import Any

from roseq_allennlp.data.tag_schemes import convert, to_spans


def with_white_space(output: dict[str, Any], visible: list[int], length: int) -> dict[str, Any]:
    """
    A model's answer to the words at the positions `visible` of a sentence of `length` tokens, as one to all of them: the
    others are `O`. An entity ends there, so each part of it is an entity, with the probability of the whole.
    """

    def tags_of_all(tags: list[str]) -> list[str]:
        among = ["O"] * length
        for position, tag in zip(visible, tags, strict=True):
            among[position] = tag
        return convert(among, "BIOUL", "BIOUL")

    result = {**output, "tags": tags_of_all(output["tags"])}
    whole = {
        position: entity
        for entity in output["entities"]
        for position in visible[entity["start_token"] : entity["end_token"]]
    }
    result["entities"] = [
        {**whole[span.start], "start_token": span.start, "end_token": span.end}
        for span in to_spans(result["tags"], "BIOUL")
    ]
    if "top_k_tags" in output:
        result["top_k_tags"] = [{**path, "tags": tags_of_all(path["tags"])} for path in output["top_k_tags"]]
    return result
