"""The outbox: what happened, told to the parts that listen, once each and in order per subject."""
