"""From Markdown to HTML that asks for nothing from outside, and the template of the page."""

import base64
import hashlib
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import jinja2
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

TEMPLATE = pathlib.Path(__file__).with_name("template")

OFF = ("image", "link", "autolink", "entity", "html_inline", "html_block", "reference")
"""What of Markdown a page does not have: its texts may hold names of files and of runs."""


LONG = 24
"""Characters of a cell from which on it may be broken into lines."""


class Part(NamedTuple):
    """A heading of a page, and its anchor."""

    title: str
    anchor: str


def to_html(text: str) -> tuple[Markup, list[Part]]:
    """The page of a study, in Markdown, as HTML.

    Texts of cells stand as they are. The heading of the first level is left out, since pages have
    their own. Tables can be sorted, and scroll by themselves.

    Returns:
        The HTML, and its headings of the second level.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(OFF)
    tokens, parts = _prepared(parser.parse(text))
    parser.add_render_rule("table_open", _open_table)
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return Markup(parser.renderer.render(tokens, parser.options, {})), parts


def _prepared(tokens: Sequence[Token]) -> tuple[list[Token], list[Part]]:
    """The tokens without the title, cells as they are; and the headings, which have anchors."""
    kept: list[Token] = []
    parts: list[Part] = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.tag == "h1" or (before is not None and before.tag == "h1" and before.nesting == 1):
            continue
        if token.type == "inline" and before is not None and before.tag in ("th", "td"):
            token.children = [Token("text", "", 0, content=token.content)]
            if len(token.content) > LONG:
                before.attrSet("class", "long")
        if token.type == "inline" and before is not None and before.tag == "h2":
            title = "".join(child.content for child in token.children or ())
            parts.append(Part(title, f"part-{len(parts) + 1}"))
            before.attrSet("id", parts[-1].anchor)
        if token.type == "th_open":
            token.attrSet("scope", "col")
        if token.type == "table_open":
            token.meta = {"label": parts[-1].title if parts else "Table"}
        kept.append(token)
    return kept, parts


def _open_table(renderer, tokens: Sequence[Token], index: int, options, environment) -> str:
    label = Markup.escape(tokens[index].meta["label"])
    return f'<div class="scroll" role="region" aria-label="{label}" tabindex="0"><table>\n'


def page(**content: object) -> str:
    """The template with its content; what is no Markup is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, style = (_text(name) for name in ("page.js", "page.css"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return environment.get_template("page.html").render(
        script=Markup(script), style=Markup(style), script_digest=digest, **content
    )


def _text(name: str) -> str:
    return (TEMPLATE / name).read_text(encoding="utf-8")
