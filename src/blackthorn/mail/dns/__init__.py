"""The DNS records of a mail domain: which there should be, and what is wrong with those there are.

Records come in as values and findings go out; what is still to be asked is noted (`facts`). Never
here: questions to a name server, or what is done about a finding.
"""
