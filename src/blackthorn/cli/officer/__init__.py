"""Commands of officers: `role`, `directive` and `market`.

Most are built by `generate` from the forms of `governance`, which a console uses too. Here a
person is asked and answered, at a terminal. What a decision holds is said in `governance`; how
it is fetched, checked, signed and submitted, in `programs.device.officer`.
"""
