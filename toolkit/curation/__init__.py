"""Raw images in; a clean, versioned dataset out."""
