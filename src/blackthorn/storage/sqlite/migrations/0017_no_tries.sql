-- Tries of activation codes are bounded by client and in all, in memory, and burn no code.

ALTER TABLE activations DROP COLUMN tries;
