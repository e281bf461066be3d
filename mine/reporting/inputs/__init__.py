"""Files that users bring: images and arrays, each with one reader, and the list of skipped ones."""
