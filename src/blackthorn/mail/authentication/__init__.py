"""Who a mail is from: SPF, DKIM, ARC and DMARC of an inbound mail, and what follows from them.

`verdict` evaluates all. Answers of the domain name system come in (`questions`); what is missing is
asked for by raising. Never here: a socket, or the choice of recipients.
"""
