"""Ports to what is stored of decisions of two people: cases, exits, notices and closures.

Values only. Who may decide is in `governance`, what follows in `server`.
"""
