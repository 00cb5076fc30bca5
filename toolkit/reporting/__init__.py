"""Profile, measurements and projection in; figures, tables and one self-contained page out.

Imported in a notebook, it also shows the nouns as compact tables there.
"""

from __future__ import annotations

from toolkit.reporting.notebook import register

register()
