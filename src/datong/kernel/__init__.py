"""What every part stands on: identity, policy, audit, events, jobs, plugs, config, paging, failures, clock, ids."""
