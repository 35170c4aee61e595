"""Image files: folders and archives of them, IDX files, and decoding."""
