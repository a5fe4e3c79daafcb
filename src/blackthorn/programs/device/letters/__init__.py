"""Mail that the person writes: its text and files, the originals that it answers, its sending.

What is written lies in the vault only; the one file is that of an editor, in memory where there is
some.
"""
