"""Commands of witness operators: create its folder, add logs, serve, show its status."""
