-- Whether the server's verdict, which lies inside the seal, files a mail as junk.
ALTER TABLE mail ADD COLUMN junk INTEGER NOT NULL DEFAULT 0;
