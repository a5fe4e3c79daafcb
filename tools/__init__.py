"""What the developers run: documents, vectors, fuzzing. Nothing here is shipped."""
