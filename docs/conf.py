"""Settings of the documentation site; `./run.sh docs` builds it.

Sources are the pages as they lie in the repository, so that a link leads to the same place here and
where the repository is shown. The reference of modules and of commands is generated: see
``generated.py``.
"""

import pathlib
import pkgutil
import sys

from pygments.lexers.special import TextLexer

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import generated  # noqa: E402, after the paths

from maml.version import __version__  # noqa: E402, after the paths

project = "Meta-learning without memorization"
author = "The authors"
version = release = __version__

root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "examples/*.md", "notebooks/*.ipynb", "results/**"]
exclude_patterns = ["docs/_templates"]
templates_path = [str(ROOT / "docs" / "_templates")]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]

# Anchors of headings are those of the repository's pages: tests/test_docs.py follows them too.
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath", "amsmath"]
# A word before a colon in the docstring of a value is read as its type.
suppress_warnings = ["myst.header", "ref.python"]

# Tutorials run anew when their code has changed, within two minutes, and a failure ends the build.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 240
nb_merge_streams = True

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"show-inheritance": True}
napoleon_use_rtype = False
napoleon_use_ivar = True  # Attributes in a docstring, and not a second time each by itself.

# A reference to a name of these packages has to be right; those of others are not looked up, since
# that takes a network.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!(maml|mine|pose_data|pose_code)\.).*"),
    (r"py:class", r".*\._\w+"),  # Bases that are not public.
]

html_theme = "furo"
html_title = project
html_theme_options = {"navigation_with_keys": True}
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]


def exported(app, env, node, contnode):
    """The place of a name that a package exports, such as ``maml.CNP``, in the reference."""
    try:
        value = pkgutil.resolve_name(node.get("reftarget", ""))
        name = f"{value.__module__}.{value.__qualname__}"
    except (AttributeError, ImportError, ValueError):
        return None
    domain = env.get_domain("py")
    found = node["refdoc"], app.builder, node["reftype"], name, node, contnode
    return None if name == node["reftarget"] else domain.resolve_xref(env, *found)


def setup(app):
    """Called by Sphinx."""
    app.add_lexer("mermaid", TextLexer)  # Drawn where the repository is shown, text here.
    app.connect("missing-reference", exported)
    app.connect("builder-inited", lambda app: generated.write(ROOT / "docs" / "reference" / "api"))
