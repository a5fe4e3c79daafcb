"""Safe text of a hostile mail: header fields, best text part, attachments. Never raises."""
