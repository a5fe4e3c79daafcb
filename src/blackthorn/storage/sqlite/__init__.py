"""The server's stores in one SQLite file: SQL, migrations, the one writer."""
