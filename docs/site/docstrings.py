"""
Griffe extension for the API pages: the package's docstrings are AllenNLP's Markdown, which Griffe's parsers do not know.
"""

import re

import griffe

# `name : type` at the left margin, and the indented lines that describe it.
ENTRY = re.compile(r"^(\S.* : .+)\n?((?:(?: {4}.*|[ \t]*)(?:\n|\Z))*)", re.MULTILINE)


class AllenNlpDocstrings(griffe.Extension):
    """
    Makes plain Markdown of a docstring: headings become bold lines, so that the table of contents lists objects alone, and
    parameters become a definition list. A registered class says by which name configs know it.
    """

    def on_object(self, *, obj: griffe.Object, **kwargs: object) -> None:
        if obj.docstring is None:
            return
        text = re.sub(r"^# (\w+)$", r"**\1**", obj.docstring.value, flags=re.MULTILINE)
        obj.docstring.value = registered_as(obj) + ENTRY.sub(definition, text)


def definition(entry: re.Match) -> str:
    """An entry of Python-Markdown's definition lists."""
    term, description = entry[1], entry[2].strip() or "\N{NO-BREAK SPACE}"
    return f"{term}\n:   {description}\n\n"


def registered_as(obj: griffe.Object) -> str:
    """The first line of a registered class: `@Model.register("name")` says the base class and the name."""
    calls = [str(decorator.value) for decorator in obj.decorators] if isinstance(obj, griffe.Class) else []
    names = [match for call in calls if (match := re.match(r"(\w+)\.register\('([^']+)'", call.replace('"', "'")))]
    return "".join(f"Registered as `{match[2]}`, a `{match[1]}`.\n\n" for match in names)
