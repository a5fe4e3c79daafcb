"""The user's account across their devices: pairing, recovery and follow-up of chain changes.

`reconciler` enqueues the follow-up, `healer` leads conversations back into step; `exit_notices`
stores notices about the user's market. Never here: what a chain says (`identity`), or whether the
ledger has it (`transparency`).
"""
