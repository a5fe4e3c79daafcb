"""What is published of a closed market: a statement, and a receipt for each person.

`statement` and `receipt` are the forms, `check` verifies them by numbered rules. They name nobody.
Never here: destroying anything, which is the server's.
"""
