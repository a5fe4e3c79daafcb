-- Indexes by which the people of a market, and of them who has moved, are read page by page.

CREATE INDEX users_by_market_and_address ON users (market, address);

CREATE INDEX exit_person_moved ON exit_person (exit_id, user, moved_ms) WHERE moved_ms IS NOT NULL;
