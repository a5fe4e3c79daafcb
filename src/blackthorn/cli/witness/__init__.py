"""Commands of witness operators: create a witness's folder, add logs, serve.

`programs/witness` does the work. Never here: the decision to sign.
"""
