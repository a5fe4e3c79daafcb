-- Which Commit has a place in the order, so that members can tell one that none of them can merge.

ALTER TABLE conversation_order ADD COLUMN digest BLOB NOT NULL DEFAULT x'';  -- SHA-256 of the sealed Commit that has this place | as the place | producible: yes
