"""The commands of whoever runs a witness: make its folder, add logs, serve, show its status.

What a witness does is in `programs/witness`; here are options and printing only.
"""
