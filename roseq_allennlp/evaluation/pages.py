"""Pages that need nothing else: one HTML file with style and script in it."""

import base64
import hashlib
import html
from pathlib import Path
from typing import Any

from roseq_allennlp.text import shown

_TEMPLATES = Path(__file__).with_name("templates")


class Page(str):
    """A page of HTML; a notebook shows it in a frame, where its style and script act on nothing else."""

    def _repr_html_(self) -> str:
        text = html.escape(self)
        return f'<iframe srcdoc="{text}" sandbox="allow-scripts" style="width: 100%; height: 40em; border: 0"></iframe>'


def page(template: str, **values: Any) -> Page:
    """Renders a template of this package with the style and the script that all pages have."""
    import jinja2

    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: shown(value) if type(value) is str else value,  # markup is of another type
    )
    text = environment.get_template(template).render(
        style=(_TEMPLATES / "report.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **values,
    )
    return Page(text)
