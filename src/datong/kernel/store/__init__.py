"""Tables of the kernel: agencies, members, systems, audit rows, the outbox, jobs."""
