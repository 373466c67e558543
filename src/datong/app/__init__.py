"""The composition root: settings, wiring, supervisor, gateway, edges, control, worker, command line."""
