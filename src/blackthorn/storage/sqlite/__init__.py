"""The server's stores in one SQLite file: the SQL, the migrations, the one writer."""
