"""Profile, measurements and projection in; figures, tables and one self-contained page out."""
