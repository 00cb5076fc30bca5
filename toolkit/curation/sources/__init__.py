"""Where images come from: folders, archives, tables with embedded bytes, and the annotations beside them."""
