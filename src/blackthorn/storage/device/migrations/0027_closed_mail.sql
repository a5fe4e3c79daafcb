-- Mails that were listed as closed before it was counted which keys had been tried: try them again.
UPDATE mail SET tried = 1 WHERE tried = 0 AND sender = '' AND subject LIKE '[cannot be opened: %';
