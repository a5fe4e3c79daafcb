-- What devices could not decrypt is found by day and by device, without a look at what waits.

CREATE INDEX mailbox_undecryptable ON mailbox (device, seq) WHERE set_aside_day IS NOT NULL;
CREATE INDEX mailbox_undecryptable_by_day ON mailbox (set_aside_day)
    WHERE set_aside_day IS NOT NULL;
