-- Which Commit ended each epoch, and whose it was; and groups before a removal or a doubtful rejoin.
ALTER TABLE branch ADD COLUMN ended_by BLOB NOT NULL DEFAULT x'';
ALTER TABLE branch ADD COLUMN committer BLOB NOT NULL DEFAULT x'';

CREATE TABLE kept_group (
    conversation BLOB PRIMARY KEY REFERENCES conversation (id) ON DELETE CASCADE,
    state BLOB NOT NULL,
    kept_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
